// producer-consumer.ts: two bakers fill a shelf, three customers empty it, and the shelf has room for two.
//
// The shelf is a channel of capacity 2. `send` waits while it is full and `receive` while it is empty, so the fast side is held back to the
// pace of the slow one, and nobody counts or locks anything. Closing the channel ends the customers when the last loaf is gone.
//
// How to run: npx tsx samples/producer-consumer.ts

import { Channel, forEach, main, type Op, scope, yieldNow } from 'tendril';

type Loaf = { readonly baker: string; readonly number: number };

function* bake(baker: string, count: number, shelf: Channel<Loaf>): Op<void> {
  for (let number = 1; number <= count; number += 1) {
    yield* shelf.send({ baker, number });
    console.log(`${baker} put out loaf ${number}`);
  }
}

function* shop(customer: string, shelf: Channel<Loaf>): Op<number> {
  let bought = 0;
  // Ends when the shelf is closed and empty.
  yield* forEach(shelf, function* buy({ baker, number }): Op<void> {
    bought += 1;
    console.log(`  ${customer} took loaf ${number} of ${baker}`);
    yield* yieldNow(); // eats, which leaves the others a turn at the shelf
  });
  return bought;
}

// The scope ends when both bakers have: the way to say "after the last one".
function* bakeAll(shelf: Channel<Loaf>): Op<void> {
  yield* scope(function* bakery(s): Op<void> {
    s.spawn(bake, 'Ada', 4, shelf);
    s.spawn(bake, 'Ben', 3, shelf);
  });
  shelf.close();
}

main(function* day(): Op<void> {
  const shelf = new Channel<Loaf>(2, { name: 'shelf' });
  yield* scope(function* town(s): Op<void> {
    s.spawn(bakeAll, shelf);
    const customers = ['Cleo', 'Dan', 'Eve'].map((name) => ({ name, trip: s.spawn(shop, name, shelf) }));
    for (const { name, trip } of customers) console.log(`${name} bought ${yield* trip.get()}`);
  });
});
