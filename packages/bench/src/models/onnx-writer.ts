import protobuf from 'protobufjs';

/**
 * Writes small ONNX models: the part of onnx.proto3 that a graph of plain operators needs.
 * Source: github.com/onnx/onnx, onnx/onnx.proto3
 */
const SCHEMA = `
syntax = "proto3";
message AttributeProto { string name = 1; int64 i = 3; int32 type = 20; }
message NodeProto { repeated string input = 1; repeated string output = 2; string op_type = 4;
  repeated AttributeProto attribute = 5; }
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
message TensorShapeProto { repeated Dimension dim = 1; }
message TensorTypeProto { int32 elem_type = 1; TensorShapeProto shape = 2; }
message TypeProto { TensorTypeProto tensor_type = 1; }
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message GraphProto { repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; }
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message ModelProto { int64 ir_version = 1; string producer_name = 2; GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8; }
`;

const FLOAT = 1;
const IR_VERSION = 8;
const OPSET_VERSION = 17;

const modelType = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('ModelProto');

export interface OnnxNode {
  readonly op_type: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  /** FP32 constants by name. */
  readonly weights: readonly { name: string; shape: readonly number[]; data: Float32Array }[];
  /** FP32 values; a string is a dynamic dimension's name. */
  readonly inputs: readonly { name: string; shape: readonly (number | string)[] }[];
  readonly outputs: readonly { name: string; shape: readonly (number | string)[] }[];
}

/** The bytes of a `model.onnx`. */
export function writeOnnx({ name, nodes, weights, inputs, outputs }: OnnxGraph): Uint8Array {
  const valueInfo = (value: OnnxGraph['inputs'][number]): object => ({
    name: value.name,
    type: {
      tensor_type: {
        elem_type: FLOAT,
        shape: {
          dim: value.shape.map((dimension) =>
            typeof dimension === 'string' ? { dim_param: dimension } : { dim_value: dimension },
          ),
        },
      },
    },
  });
  const model = {
    ir_version: IR_VERSION,
    producer_name: 'quern-bench',
    opset_import: [{ domain: '', version: OPSET_VERSION }],
    graph: {
      name,
      node: nodes,
      initializer: weights.map(({ name: weight, shape, data }) => ({
        name: weight,
        dims: shape,
        data_type: FLOAT,
        raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
      input: inputs.map(valueInfo),
      output: outputs.map(valueInfo),
    },
  };
  return modelType.encode(modelType.fromObject(model)).finish();
}
