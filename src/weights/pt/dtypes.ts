/** Element types of torch: those of safetensors under its names, and those that it has not. */

/** Bytes of an element. Packed types count a byte, see PACKED. */
export const ELEMENT_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F8_E8M0: 1,
  I64: 8,
  U64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  C128: 16,
  C64: 8,
  C32: 4,
  QINT32: 4,
  QINT8: 1,
  QUINT8: 1,
  QUINT4x2: 1,
  QUINT2x4: 1,
} as const;

/** Element type of a storage or a tensor. */
export type PtDType = keyof typeof ELEMENT_BYTES;

/** Elements in a byte, of types that share one: their tensors are known, but not read. */
export const PACKED: Readonly<Partial<Record<PtDType, number>>> = { QUINT4x2: 2, QUINT2x4: 4 };

/** Element types of storages, by their class. */
export const STORAGES: ReadonlyMap<string, PtDType> = new Map<string, PtDType>([
  ['torch.FloatStorage', 'F32'],
  ['torch.DoubleStorage', 'F64'],
  ['torch.HalfStorage', 'F16'],
  ['torch.BFloat16Storage', 'BF16'],
  ['torch.LongStorage', 'I64'],
  ['torch.IntStorage', 'I32'],
  ['torch.ShortStorage', 'I16'],
  ['torch.CharStorage', 'I8'],
  ['torch.ByteStorage', 'U8'],
  ['torch.BoolStorage', 'BOOL'],
  ['torch.ComplexFloatStorage', 'C64'],
  ['torch.ComplexDoubleStorage', 'C128'],
  ['torch.QInt32Storage', 'QINT32'],
  ['torch.QInt8Storage', 'QINT8'],
  ['torch.QUInt8Storage', 'QUINT8'],
  ['torch.QUInt4x2Storage', 'QUINT4x2'],
  ['torch.QUInt2x4Storage', 'QUINT2x4'],
  // Bytes without a type, which the tensor names.
  ['torch.storage.UntypedStorage', 'U8'],
  ['torch.storage._UntypedStorage', 'U8'],
  ['torch.UntypedStorage', 'U8'],
]);

/** Element types by the name of torch's object for them. */
export const DTYPES: ReadonlyMap<string, PtDType> = new Map<string, PtDType>([
  ['torch.float64', 'F64'],
  ['torch.float32', 'F32'],
  ['torch.float16', 'F16'],
  ['torch.bfloat16', 'BF16'],
  ['torch.float8_e4m3fn', 'F8_E4M3'],
  ['torch.float8_e5m2', 'F8_E5M2'],
  ['torch.float8_e4m3fnuz', 'F8_E4M3FNUZ'],
  ['torch.float8_e5m2fnuz', 'F8_E5M2FNUZ'],
  ['torch.float8_e8m0fnu', 'F8_E8M0'],
  ['torch.int64', 'I64'],
  ['torch.uint64', 'U64'],
  ['torch.int32', 'I32'],
  ['torch.uint32', 'U32'],
  ['torch.int16', 'I16'],
  ['torch.uint16', 'U16'],
  ['torch.int8', 'I8'],
  ['torch.uint8', 'U8'],
  ['torch.bool', 'BOOL'],
  ['torch.complex128', 'C128'],
  ['torch.complex64', 'C64'],
  ['torch.complex32', 'C32'],
  ['torch.qint32', 'QINT32'],
  ['torch.qint8', 'QINT8'],
  ['torch.quint8', 'QUINT8'],
]);
