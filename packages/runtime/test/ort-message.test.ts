import { describe, expect, test } from 'vitest';
import { batchError, cleanOrtMessage, runError } from '../src/session/ort-message.ts';

const ALLOCATION =
  "Non-zero status code returned while running Expand node. Name:'' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 40000000000000\n";

describe("ONNX Runtime's messages", () => {
  test.each([
    [
      ALLOCATION,
      "Non-zero status code returned while running Expand node. Name:'' Status Message: Failed to allocate memory for requested buffer of size 40000000000000",
    ],
    [
      'Status Message: /onnxruntime_src/onnxruntime/core/framework/op_kernel.cc:83 virtual OrtValue* onnxruntime::OpKernelContext::OutputMLValue(int, const onnxruntime::TensorShape&) [ONNXRuntimeError] : 1 : FAIL : Calculation for Tensor storage size overflowed\n',
      'Status Message: Calculation for Tensor storage size overflowed',
    ],
    [
      '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n',
      'adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters',
    ],
    ['got a at /src/x.cc:12 and no signature', 'got a at and no signature'],
    ['one\ntwo\n\n  three', 'one two three'],
  ])('%j become one line without the places of its build', (raw, expected) => {
    expect(cleanOrtMessage(new Error(raw))).toBe(expected);
  });

  test('do not tell where the models lie', () => {
    const path = '/srv/models/m/1/model.onnx';
    const message = cleanOrtMessage(new Error(`Load model from ${path} failed: no`), path);
    expect(message).toBe('Load model from model.onnx failed: no');
  });

  test('are cut off where they get long', () => {
    expect(cleanOrtMessage('x'.repeat(10_000)).length).toBeLessThan(1000);
  });
});

describe('a failed run', () => {
  test.each([
    ALLOCATION,
    'CUDA failure 2: out of memory ; GPU=0',
    'std::bad_alloc',
    'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED',
  ])('is out of memory after %j', (message) => {
    expect(runError(new Error(message))).toMatchObject({ code: 'OUT_OF_MEMORY', retryable: true });
  });

  test('is out of memory too when its batch cannot even be put together', () => {
    const error = new RangeError('Array buffer allocation failed');
    expect(batchError(error)).toMatchObject({ code: 'OUT_OF_MEMORY' });
    expect(batchError(new TypeError('x is not a function'))).toMatchObject({ code: 'INTERNAL' });
  });

  test('is a failed inference otherwise, and trying again is no use', () => {
    const error = runError(new Error('indices element out of data bounds, idx=99'));
    expect(error).toMatchObject({ code: 'INFERENCE_FAILED', retryable: false });
    expect(error.message).toContain('idx=99');
  });
});
