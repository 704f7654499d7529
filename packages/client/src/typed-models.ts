import type { ElementByDatatype, ElementsByDatatype, TypedArray } from './datatypes.ts';
import type { NestedOf } from './nested-arrays.ts';
import type { Tensor } from './tensor.ts';
import type { Input } from './tensor-to-wire.ts';

/** What a model takes and gives by name; `quern types` writes it from what the API says. */
export interface ModelTypes {
  readonly inputs: object;
  readonly outputs: object;
}

/** A model of which nothing is known. */
export interface AnyModel {
  readonly inputs: Readonly<Record<string, Input>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** Any model by any name: what a client without types takes. */
export type AnyModels = Readonly<Record<string, AnyModel>>;

/** The names in a map of models. */
export type ModelName<Models> = keyof Models & string;

/** A model's part of a map. */
export type ModelOf<Models, Name extends ModelName<Models>> = Models[Name] extends ModelTypes
  ? Models[Name]
  : AnyModel;

type Plain<T> =
  T extends Tensor<infer D, infer S>
    ? NestedOf<ElementByDatatype[D], S>
    : T extends TypedArray
      ? never
      : T;

type Mixed<T> =
  | Plain<T>
  | T
  | (T extends Tensor<infer D, readonly [number]> ? ElementsByDatatype[D] : never);

/** Inputs in plain arrays, which are answered with plain arrays. */
export type PlainInputs<M extends ModelTypes> = {
  readonly [K in keyof M['inputs']]: Plain<M['inputs'][K]>;
};

/** Inputs of which at least one is a tensor, which are answered with tensors. */
export type TensorInputs<M extends ModelTypes> = {
  readonly [K in keyof M['inputs']]: Mixed<M['inputs'][K]>;
};

export type PlainOutputs<M extends ModelTypes> = {
  readonly [K in keyof M['outputs']]: Plain<M['outputs'][K]>;
};

export type TensorOutputs<M extends ModelTypes> = M['outputs'];
