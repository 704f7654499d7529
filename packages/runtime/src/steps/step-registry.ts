import { z } from 'zod';
import { audioConfigSchema } from './audio/audio-config.ts';
import { ctcConfigSchema } from './ctc/ctc-config.ts';
import { handlerConfigSchema } from './handler/handler-config.ts';
import { imageConfigSchema } from './image/image-config.ts';
import { poolingConfigSchema } from './pooling/pooling-config.ts';
import { recordConfigSchema } from './record/record-config.ts';
import {
  argmaxConfigSchema,
  scoresConfigSchema,
  thresholdConfigSchema,
  topKConfigSchema,
} from './scores/scores-config.ts';
import type { PostprocessContext, PostprocessStep, PreprocessStep, StepContext } from './step.ts';
import { textConfigSchema } from './text/text-config.ts';

/**
 * The kinds of steps: for each its settings in `model.yaml`, and what loads it. A loader is imported
 * where it is used, so that libraries such as image decoders are in the runner's process alone.
 */
const preprocessKinds = z.strictObject({
  audio: audioConfigSchema.optional(),
  handler: handlerConfigSchema.optional(),
  image: imageConfigSchema.optional(),
  record: recordConfigSchema.optional(),
  text: textConfigSchema.optional(),
});

const postprocessKinds = z.strictObject({
  argmax: argmaxConfigSchema.optional(),
  ctc: ctcConfigSchema.optional(),
  handler: handlerConfigSchema.optional(),
  pooling: poolingConfigSchema.optional(),
  sigmoid: scoresConfigSchema.optional(),
  softmax: scoresConfigSchema.optional(),
  threshold: thresholdConfigSchema.optional(),
  topK: topKConfigSchema.optional(),
});

export const preprocessSchema = z.array(oneKind(preprocessKinds)).default([]);
export const postprocessSchema = z.array(oneKind(postprocessKinds)).default([]);

/** One step of `preprocess` in `model.yaml`: exactly one of the keys is set. */
export type PreprocessConfig = z.infer<typeof preprocessKinds>;
/** One step of `postprocess` in `model.yaml`: exactly one of the keys is set. */
export type PostprocessConfig = z.infer<typeof postprocessKinds>;

/** Loads a step of `preprocess`. @throws QuernError `CONFIG_INVALID` */
export async function loadPreprocessStep(
  config: PreprocessConfig,
  context: StepContext,
): Promise<PreprocessStep> {
  if (config.image !== undefined) {
    const { loadImageStep } = await import('./image/image-step.ts');
    return loadImageStep(config.image, context);
  }
  if (config.record !== undefined) {
    const { loadRecordStep } = await import('./record/record-step.ts');
    return loadRecordStep(config.record, context);
  }
  if (config.text !== undefined) {
    const { loadTextStep } = await import('./text/text-step.ts');
    return loadTextStep(config.text, context);
  }
  if (config.audio !== undefined) {
    const { loadAudioStep } = await import('./audio/audio-step.ts');
    return loadAudioStep(config.audio, context);
  }
  if (config.handler !== undefined) {
    const { loadHandlerPreprocess } = await import('./handler/handler-step.ts');
    return loadHandlerPreprocess(config.handler, context);
  }
  throw context.problem('', 'names no step');
}

/** Loads a step of `postprocess`. @throws QuernError `CONFIG_INVALID` */
export async function loadPostprocessStep(
  config: PostprocessConfig,
  context: PostprocessContext,
): Promise<PostprocessStep> {
  if (config.softmax !== undefined) {
    const { loadSoftmaxStep } = await import('./scores/softmax-step.ts');
    return loadSoftmaxStep(config.softmax, context);
  }
  if (config.sigmoid !== undefined) {
    const { loadSigmoidStep } = await import('./scores/sigmoid-step.ts');
    return loadSigmoidStep(config.sigmoid, context);
  }
  if (config.topK !== undefined || config.argmax !== undefined) {
    const { loadTopKStep, loadArgmaxStep } = await import('./scores/top-k-step.ts');
    if (config.topK !== undefined) return loadTopKStep(config.topK, context);
    if (config.argmax !== undefined) return loadArgmaxStep(config.argmax, context);
  }
  if (config.threshold !== undefined) {
    const { loadThresholdStep } = await import('./scores/threshold-step.ts');
    return loadThresholdStep(config.threshold, context);
  }
  if (config.pooling !== undefined) {
    const { loadPoolingStep } = await import('./pooling/pooling-step.ts');
    return loadPoolingStep(config.pooling, context);
  }
  if (config.ctc !== undefined) {
    const { loadCtcStep } = await import('./ctc/ctc-step.ts');
    return loadCtcStep(config.ctc, context);
  }
  if (config.handler !== undefined) {
    const { loadHandlerPostprocess } = await import('./handler/handler-step.ts');
    return loadHandlerPostprocess(config.handler, context);
  }
  throw context.problem('', 'names no step');
}

/** The key of the step that is set. */
export function kindOf(config: PreprocessConfig | PostprocessConfig): string {
  return Object.keys(config)[0] ?? '';
}

/** `softmax` and `softmax:` are short for `softmax: {}`. */
function oneKind<T extends z.ZodObject>(kinds: T) {
  const names = Object.keys(kinds.shape).join(', ');
  return z.preprocess(
    withSettings,
    kinds.refine((step) => Object.keys(step).length === 1, {
      error: `expected one step, which is one of ${names}`,
    }),
  );
}

function withSettings(value: unknown): unknown {
  if (typeof value === 'string') return { [value]: {} };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([kind, settings]) => [kind, settings ?? {}]),
  );
}
