import { QuernError, toQuernError } from '@quern/contract';

// ONNX Runtime's messages name its build's files and the C++ function that failed.
const SOURCE_PLACE = /(?:[A-Za-z]:)?[\\/][^\s:]*\.(?:cc|cpp|cu|cuh|h|hpp):\d+/;
const CPP_SIGNATURE =
  /\s+[\w:<>*&~, ]+(?:operator\(\))?\([^()]*\)(?:\s*const)?(?:::<lambda\([^()]*\)>)?/;
const WITH_SIGNATURE = new RegExp(
  `${SOURCE_PLACE.source}${CPP_SIGNATURE.source}(?: \\[with [^\\]]*\\])?`,
  'g',
);
const WITHOUT_SIGNATURE = new RegExp(SOURCE_PLACE.source, 'g');
const STATUS_CODE = /\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /g;

const OUT_OF_MEMORY =
  /failed to allocate memory|out of memory|bad_alloc|smaller than requested bytes|cannot allocate memory|array buffer allocation failed|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED/i;

const MAX_LENGTH = 600;

/** ONNX Runtime's message in one line, without the paths of its build or of this machine's models. */
export function cleanOrtMessage(error: unknown, modelPath?: string): string {
  let message = error instanceof Error ? error.message : String(error);
  if (modelPath !== undefined) message = message.replaceAll(modelPath, 'model.onnx');
  message = message
    .replace(/\s+/g, ' ')
    .replace(WITH_SIGNATURE, '')
    .replace(WITHOUT_SIGNATURE, '')
    .replace(STATUS_CODE, '')
    .replace(/ +/g, ' ')
    .trim();
  return message.length > MAX_LENGTH ? `${message.slice(0, MAX_LENGTH)}...` : message;
}

/** A failed run as a catalogue error: `OUT_OF_MEMORY` or `INFERENCE_FAILED`. */
export function runError(error: unknown): QuernError {
  if (error instanceof QuernError) return error;
  const message = cleanOrtMessage(error);
  return (
    memoryError(message) ??
    new QuernError('INFERENCE_FAILED', `the model failed when it ran: ${message}`)
  );
}

/** A fault on the way to or from a run as a catalogue error: `OUT_OF_MEMORY` or `INTERNAL`. */
export function batchError(error: unknown): QuernError {
  if (error instanceof QuernError) return error;
  return memoryError(cleanOrtMessage(error)) ?? toQuernError(error);
}

function memoryError(message: string): QuernError | undefined {
  if (!OUT_OF_MEMORY.test(message)) return undefined;
  return new QuernError('OUT_OF_MEMORY', `the run needed more memory than there is: ${message}`);
}
