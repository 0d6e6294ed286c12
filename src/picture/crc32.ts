/** The checksum of PNG chunks (https://www.w3.org/TR/png-3/#5CRC-algorithm). */

const POLYNOMIAL = 0xedb88320;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/** CRC-32 of bytes. Node's own is not in every Node 20, and not in browsers. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  // An iterator takes several times as long over megabytes.
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
