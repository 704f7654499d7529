/**
 * The tensor datatypes of the Open Inference Protocol that ONNX Runtime takes.
 * Everything that depends on a datatype is a column of this one table.
 */
export const DATATYPES = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
] as const;

export type Datatype = (typeof DATATYPES)[number];

export interface DatatypeTraits {
  /** Bytes of one element in the binary form; 0 for BYTES, whose elements carry their own length. */
  readonly bytes: number;
  readonly kind: 'boolean' | 'integer' | 'bigint' | 'float' | 'bytes';
  /** Inclusive range of an integer datatype; of a float, the largest finite magnitude. */
  readonly min: number | bigint;
  readonly max: number | bigint;
  /** The element type's name in ONNX (and in ONNX Runtime's metadata). */
  readonly onnx: string;
}

const FP16_MAX = 65_504;
const FP32_MAX = 3.4028234663852886e38;

export const DATATYPE_TRAITS: Readonly<Record<Datatype, DatatypeTraits>> = {
  BOOL: { bytes: 1, kind: 'boolean', min: 0, max: 1, onnx: 'bool' },
  UINT8: { bytes: 1, kind: 'integer', min: 0, max: 255, onnx: 'uint8' },
  UINT16: { bytes: 2, kind: 'integer', min: 0, max: 65_535, onnx: 'uint16' },
  UINT32: { bytes: 4, kind: 'integer', min: 0, max: 4_294_967_295, onnx: 'uint32' },
  UINT64: { bytes: 8, kind: 'bigint', min: 0n, max: 18_446_744_073_709_551_615n, onnx: 'uint64' },
  INT8: { bytes: 1, kind: 'integer', min: -128, max: 127, onnx: 'int8' },
  INT16: { bytes: 2, kind: 'integer', min: -32_768, max: 32_767, onnx: 'int16' },
  INT32: { bytes: 4, kind: 'integer', min: -2_147_483_648, max: 2_147_483_647, onnx: 'int32' },
  INT64: {
    bytes: 8,
    kind: 'bigint',
    min: -9_223_372_036_854_775_808n,
    max: 9_223_372_036_854_775_807n,
    onnx: 'int64',
  },
  FP16: { bytes: 2, kind: 'float', min: -FP16_MAX, max: FP16_MAX, onnx: 'float16' },
  FP32: { bytes: 4, kind: 'float', min: -FP32_MAX, max: FP32_MAX, onnx: 'float32' },
  FP64: { bytes: 8, kind: 'float', min: -Number.MAX_VALUE, max: Number.MAX_VALUE, onnx: 'float64' },
  BYTES: { bytes: 0, kind: 'bytes', min: 0, max: 0, onnx: 'string' },
};

const BY_ONNX_NAME = new Map(DATATYPES.map((name) => [DATATYPE_TRAITS[name].onnx, name]));

/** The datatype for an ONNX element type name such as `float32` or `string`; undefined if unsupported. */
export function datatypeFromOnnx(onnxName: string): Datatype | undefined {
  return BY_ONNX_NAME.get(onnxName);
}
