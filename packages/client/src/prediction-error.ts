import { QuernError } from './errors.ts';
import type { Prediction } from './prediction.ts';

/** The prediction has ended without an output: it failed, was canceled, or expired. */
export class PredictionError extends QuernError {
  readonly prediction: Prediction<unknown>;

  constructor(prediction: Prediction<unknown>) {
    const { id, model, status, error } = prediction;
    const reason = error?.message ?? `it is ${status}, and the API says no more`;
    super(error?.code ?? 'INTERNAL', `Prediction ${id} of ${model} ${status}: ${reason}`, {
      retryable: error?.retryable,
    });
    this.name = 'PredictionError';
    this.prediction = prediction;
  }
}
