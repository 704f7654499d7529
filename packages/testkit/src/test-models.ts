import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The example models that come with Quern. */
export const EXAMPLE_MODELS = fileURLToPath(new URL('../../../models', import.meta.url));

const FIXTURES = fileURLToPath(new URL('../../runtime/test/fixtures/models', import.meta.url));

/** One model folder to make. */
export interface TestModel {
  readonly name: string;
  /** A fixture of the runtime's tests without its ending, or the bytes themselves; absent for no version. */
  readonly onnx?: string | Uint8Array;
  /** Text of `model.yaml`. */
  readonly yaml?: string;
}

/** A model repository of a test's own, removed by `remove()`. */
export class TestModels {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(models: readonly TestModel[]): Promise<TestModels> {
    const repository = new TestModels(await mkdtemp(join(tmpdir(), 'quern-models-')));
    for (const model of models) await repository.add(model);
    return repository;
  }

  /** @param version folder to put the model in; default 1 */
  async add({ name, onnx, yaml }: TestModel, version = 1): Promise<void> {
    const directory = join(this.directory, name);
    await mkdir(directory, { recursive: true });
    if (yaml !== undefined) await writeFile(join(directory, 'model.yaml'), yaml);
    if (onnx === undefined) return;
    const file = join(directory, String(version), 'model.onnx');
    await mkdir(join(directory, String(version)), { recursive: true });
    if (typeof onnx === 'string') await cp(join(FIXTURES, `${onnx}.onnx`), file);
    else await writeFile(file, onnx);
  }

  async addExample(name: string): Promise<void> {
    await cp(join(EXAMPLE_MODELS, name), join(this.directory, name), { recursive: true });
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
