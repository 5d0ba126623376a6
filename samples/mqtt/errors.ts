// errors.ts: what the MQTT client throws, besides the errors of sockets (ConnectError while connecting, TimeoutError, Killed).
//
//   MqttError            the server refuses: the connection, or a subscription
//   MqttConnectionError  the connection was lost; a publication that was on its way may have arrived
//   MqttProtocolError    the server sent what no MQTT server sends; the connection is closed

import { ResourceError } from 'tendril';

export class MqttError extends ResourceError {
  override readonly code: string = 'ERR_MQTT';
}

export class MqttConnectionError extends ResourceError {
  override readonly code: string;
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    const code = (cause as { code?: unknown } | undefined)?.code;
    this.code = typeof code === 'string' ? code : 'ERR_MQTT_CONNECTION';
  }
}

export class MqttProtocolError extends ResourceError {
  override readonly code: string = 'ERR_MQTT_PROTOCOL';
}

export function invalid(text: string): TypeError {
  return Object.assign(new TypeError(text), { code: 'ERR_INVALID_ARG_VALUE' });
}
