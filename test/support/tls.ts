/** TLS in front of a server of a test. */
import { connect } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { ended, type Listening, listening } from './proxy.ts';

/** For localhost, signed by itself, made for these tests and good for nothing else. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGTlVmTvbA1RRlYwX
Mful93L/ejY+y0PPmRZJLjduHE2hRANCAATjcYKkrGVx9x3NxQwcAvlGYEs5i3i1
KEt99SPdlazWCdSr96yfVMwz6LXc68Bd8VADa/K/6shigfBZ9sOgsmwG
-----END PRIVATE KEY-----`;

/** Good until 2126. */
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUPHGgWM2ekgaJ512EPfbMRw4eI7AwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjE2MDEyN1oYDzIxMjYxMTAy
MTYwMTI3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATjcYKkrGVx9x3NxQwcAvlGYEs5i3i1KEt99SPdlazWCdSr96yfVMwz
6LXc68Bd8VADa/K/6shigfBZ9sOgsmwGo28wbTAdBgNVHQ4EFgQU7qvcrRwFF1I2
ftnAbER1hICH64owHwYDVR0jBBgwFoAU7qvcrRwFF1I2ftnAbER1hICH64owDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAISkhxFiZMvmWREstUDRhyC6O46yaHNFLWdIBKaPvF+PAiEA
07OYNwjI9Nkj7WpY7BKu7+V0IDjyGyd/gqSTMYH+Ylg=
-----END CERTIFICATE-----`;

/** A port that speaks TLS and passes what it hears to another port. */
export function tlsBefore(port: number): Promise<Listening> {
  const server: Server = createServer({ key: KEY, cert: CERTIFICATE }, (socket) => {
    const inner = connect(port, '127.0.0.1');
    ended(socket, inner);
    socket.pipe(inner).pipe(socket);
  });
  server.on('tlsClientError', () => {});
  return listening(server);
}
