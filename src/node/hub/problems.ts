/** What goes wrong between two machines, in words. */
import { DownloadError } from '../../errors.ts';
import { TransientError } from '../../hub/transient.ts';

const NO_TLS = 'the answer is not TLS; is http:// or https:// right?';

const NETWORK_PROBLEMS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name of the server is not known; is this machine connected to the internet?',
  EAI_AGAIN:
    'the name of the server cannot be looked up; is this machine connected to the internet?',
  ECONNREFUSED: 'the server refuses connections',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'the server cannot be reached',
  ENETUNREACH: 'there is no network',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'the server does not answer',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_HEADERS_TIMEOUT: 'the server does not answer',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the connection was cut',
  HPE_INVALID_CONSTANT: 'the answer is not HTTP',
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
};

/** Problems of one way of several to a host: others say more. */
const OF_ONE_WAY: ReadonlySet<string> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL']);

/** Certificates that another try will not mend. */
const CERTIFICATE =
  /^(CERT_|ERR_TLS_CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF))/;

/**
 * The error for a connection that failed.
 * @param where Whose it was: a host or a proxy.
 */
export function connectionError(where: string, cause: unknown): DownloadError {
  const message = `${where}: ${networkProblem(cause)}`;
  const isFinal = CERTIFICATE.test(codeOf(cause));
  return isFinal
    ? new DownloadError('network', message, { cause })
    : new TransientError('network', message, { cause });
}

function networkProblem(error: unknown): string {
  const one = mostTelling(error);
  if (!(one instanceof Error)) return String(one);
  if (CERTIFICATE.test(codeOf(one))) {
    return `the certificate is not trusted (${one.message}): if your network reads what is sent, set NODE_EXTRA_CA_CERTS to the file of its certificate`;
  }
  return NETWORK_PROBLEMS[codeOf(one)] ?? (one.message || one.name);
}

/** Node tries all addresses of a name and reports all failures in one. */
function mostTelling(error: unknown): unknown {
  if (!(error instanceof AggregateError)) return error;
  const errors: readonly unknown[] = error.errors;
  return errors.find((one) => !OF_ONE_WAY.has(codeOf(one))) ?? errors[0] ?? error;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}
