// page-server.ts: an HTTP server that answers every request with the same page, for machines without nginx.
//
// Started by servers.ts in a process of its own as `node page-server.js PORT BYTES`. It is slower than the clients it serves, so
// figures got from it compare clients too favourably to the slow ones; the report names the server.

import http from 'node:http';

const [port, bytes] = process.argv.slice(2).map(Number) as [number, number];
const page = Buffer.alloc(bytes, 'x');

const server = http.createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': bytes });
  response.end(page);
});
server.keepAliveTimeout = 600_000;
server.listen(port, '127.0.0.1');
