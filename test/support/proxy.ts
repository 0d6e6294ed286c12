/** Proxies as users have them: HTTP with CONNECT, and SOCKS. */
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

export interface TestProxy extends Listening {
  /** Without a scheme. */
  readonly host: string;
  /** What it was asked to reach, e.g. `127.0.0.1:80`, after the user and password if it got some. */
  readonly asked: string[];
  /** Connections that it got. */
  connections(): number;
}

/** Answers a CONNECT in another way than by connecting. */
export type ConnectAnswer = (socket: Socket, url: string) => void;

export async function startProxy(answer?: ConnectAnswer): Promise<TestProxy> {
  const asked: string[] = [];
  const server = createHttpServer((_, res) => void res.writeHead(405).end());
  server.on('connect', (req, socket: Socket) => {
    const login = req.headers['proxy-authorization']?.replace('Basic ', '');
    const user = login ? `${Buffer.from(login, 'base64')}@` : '';
    asked.push(`${user}${req.url}`);
    if (answer) {
      socket.on('error', () => {});
      answer(socket, req.url ?? '');
      return;
    }
    const { hostname, port } = new URL(`http://${req.url}`);
    pipeTo(socket, hostname, Number(port), 'HTTP/1.1 200 OK\r\n\r\n');
  });
  return testProxy(server, asked);
}

/** Takes connections and says nothing. */
export const startSilent = (): Promise<TestProxy> => testProxy(createServer(), []);

/** SOCKS 5 (RFC 1928, 1929) and 4a. With a login it asks for user and password. */
export async function startSocks(login?: string): Promise<TestProxy> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    let step: 'hello' | 'login' | 'connect' = 'hello';
    let user = '';
    socket.on('data', (data) => {
      if (step === 'hello' && data[0] === 4) {
        const [, host = ''] = data.subarray(8).toString('latin1').split('\0');
        const isName = data.readUInt32BE(4) < 256;
        const target = isName ? host : [...data.subarray(4, 8)].join('.');
        asked.push(`${target}:${data.readUInt16BE(2)}`);
        socket.removeAllListeners('data');
        pipeTo(socket, target, data.readUInt16BE(2), Buffer.from([0, 90, 0, 0, 0, 0, 0, 0]));
      } else if (step === 'hello') {
        step = login === undefined ? 'connect' : 'login';
        socket.write(Buffer.from([5, login === undefined ? 0 : 2]));
      } else if (step === 'login') {
        const name = data.subarray(2, 2 + data[1]!);
        user = `${name}:${data.subarray(3 + name.byteLength)}`;
        step = 'connect';
        socket.write(Buffer.from([1, user === login ? 0 : 1]));
        user += '@';
      } else {
        const isName = data[3] === 3;
        const end = isName ? 5 + data[4]! : 8;
        const host = isName ? data.subarray(5, end).toString() : [...data.subarray(4, 8)].join('.');
        const port = data.readUInt16BE(end);
        asked.push(`${user}${host}:${port}`);
        socket.removeAllListeners('data');
        pipeTo(socket, host, port, Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
      }
    });
  });
  return testProxy(server, asked);
}

/** Connects both ends, after a first word to the one that asked. */
function pipeTo(socket: Socket, host: string, port: number, hello: string | Buffer): void {
  const upstream = connect(port, host, () => {
    socket.write(hello);
    upstream.pipe(socket).pipe(upstream);
  });
  ended(socket, upstream);
}

/** Two sockets of which each ends with the other. */
export function ended(one: Socket, other: Socket): void {
  for (const socket of [one, other]) {
    socket.on('error', () => {});
    socket.on('close', () => (socket === one ? other : one).destroy());
  }
}

async function testProxy(server: Server, asked: string[]): Promise<TestProxy> {
  let connections = 0;
  server.on('connection', () => connections++);
  const made = await listening(server);
  return { ...made, host: `127.0.0.1:${made.port}`, asked, connections: () => connections };
}

/** Starts a server on a port of its own, of this machine only. */
export async function listening(server: Server): Promise<Listening> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
