import {
  type Datatype,
  encodeBytesElements,
  fieldPath,
  formatShape,
  invalidInput,
  type QuernError,
  show,
  type Tensor,
  type TensorSpec,
} from '@quern/contract';
import { nearestName } from '../../repository/nearest-name.ts';
import { numberTensor } from '../number-tensor.ts';
import { namedInput } from '../session-input.ts';
import type { PreprocessStep, StepContext } from '../step.ts';
import { type Column, makeColumn } from './column.ts';
import type { ColumnConfig, RecordConfig } from './record-config.ts';

/** A session input and the columns that become it, in their order. */
interface Target {
  readonly spec: TensorSpec;
  readonly columns: readonly Column[];
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Loads the `record` step: JSON objects to one matrix, or to an input for each column.
 * @throws QuernError `CONFIG_INVALID`
 */
export function loadRecordStep(config: RecordConfig, context: StepContext): PreprocessStep {
  const targets =
    config.input === undefined ? inputPerColumn(config, context) : oneMatrix(config, context);
  for (const target of targets) assertWidth(target, context);
  const columns = targets.flatMap((target) => target.columns);
  const keys = new Set(columns.map(({ from }) => from));
  const { field, otherKeys } = config;
  return {
    name: 'record',
    fields: [{ name: field, field: { kind: 'record' } }],
    produces: targets.map(({ spec }) => spec),
    run: ([elements = []]) => {
      const records = elements.map((element, row) => {
        const path = `${field}[${row}]`;
        const record = parseRecord(element, path);
        if (otherKeys === 'error') assertKnownKeys(record, keys, path);
        return { record, path };
      });
      return targets.map(({ spec, columns: own }) => {
        const cells = records.flatMap(({ record, path }) =>
          own.flatMap(({ from, encode }) => encode(record.get(from), fieldPath(path, from))),
        );
        const width = widthOf(own);
        const shape = spec.shape.length === 1 ? [records.length] : [records.length, width];
        return columnTensor(spec, shape, cells);
      });
    },
  };
}

/** A map, as a record's keys may be called anything. */
function parseRecord(element: Uint8Array, path: string): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(element));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidInput(path, `is not valid JSON: ${reason}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return new Map(Object.entries(value));
  }
  throw invalidInput(path, `got ${show(value)}, expected an object with a value for each column`);
}

function assertKnownKeys(
  record: ReadonlyMap<string, unknown>,
  known: ReadonlySet<string>,
  path: string,
): void {
  for (const key of record.keys()) {
    if (known.has(key)) continue;
    const nearest = nearestName(key, [...known]);
    const hint =
      nearest === undefined ? `expected ${[...known].join(', ')}` : `did you mean ${nearest}?`;
    throw invalidInput(fieldPath(path, key), `is no column of this model; ${hint}`);
  }
}

function columnTensor(
  { name, datatype }: TensorSpec,
  shape: readonly number[],
  cells: readonly (number | string)[],
): Tensor {
  if (datatype === 'BYTES') {
    return { name, datatype, shape, data: encodeBytesElements(cells.map(String)) };
  }
  return numberTensor(name, datatype, shape, Float64Array.from(cells, Number));
}

function widthOf(columns: readonly Column[]): number {
  return columns.reduce((sum, { width }) => sum + width, 0);
}

function oneMatrix(config: RecordConfig, context: StepContext): Target[] {
  const { columns } = config;
  if (columns === undefined) {
    throw context.problem('columns', 'expected the columns of the input, in their order');
  }
  const spec = namedInput(context, 'input', config.input);
  return [{ spec, columns: makeColumns(columns, () => spec.datatype, context) }];
}

function inputPerColumn({ columns }: RecordConfig, context: StepContext): Target[] {
  if (columns === undefined) {
    return context.sessionInputs.filter(isColumn).map((spec) => {
      const config = { name: spec.name, unknown: 'error', missing: 'error' } as const;
      return { spec, columns: [makeColumn(config, spec.datatype, context.problem)] };
    });
  }
  const specs = columns.map(({ name }, index) =>
    namedInput(context, `columns.${index}.name`, name),
  );
  const made = makeColumns(columns, (index) => specs[index]?.datatype ?? 'FP32', context);
  return specs.map((spec, index) => ({ spec, columns: made.slice(index, index + 1) }));
}

function makeColumns(
  configs: readonly ColumnConfig[],
  datatypeOf: (index: number) => Datatype,
  { problem }: StepContext,
): Column[] {
  return configs.map((config, index) => {
    const at = (key: string, message: string): QuernError =>
      problem(
        `columns.${index}${key === '' ? '' : `.${key}`}`,
        `column ${config.name}: ${message}`,
      );
    if (configs.findIndex(({ name }) => name === config.name) !== index) {
      throw at('name', 'is listed twice');
    }
    return makeColumn(config, datatypeOf(index), at);
  });
}

function isColumn({ shape }: TensorSpec): boolean {
  return shape.length === 1 || (shape.length === 2 && shape[1] === 1);
}

function assertWidth({ spec, columns }: Target, { problem }: StepContext): void {
  const { name, shape } = spec;
  const width = widthOf(columns);
  const expected = shape.length === 1 ? 1 : shape[1];
  if (shape.length <= 2 && (expected === -1 || expected === width)) return;
  throw problem(
    'columns',
    `make ${width} numbers of a row, but the input ${name} is ${formatShape(shape)}`,
  );
}
