import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inRepository } from '../repository.ts';

/** A program of a document, and what the document says that it prints. */
export interface DocumentedExample {
  /** The document's path and the example's number. */
  readonly title: string;
  readonly code: string;
  readonly output: string;
}

const EXAMPLE = /^```ts\n([\s\S]*?)^```\n+^```text\n([\s\S]*?)^```$/gm;
const run = promisify(execFile);
/** Between what two examples print. */
const MARK = '----- next example -----';

/** The `ts` blocks of a Markdown file, each with the `text` block right behind it. */
export async function documentedExamples(path: string): Promise<DocumentedExample[]> {
  const markdown = await readFile(inRepository(path), 'utf8');
  const count = markdown.split('```ts\n').length - 1;
  const examples = [...markdown.matchAll(EXAMPLE)].map(([, code = '', output = ''], i) => ({
    title: `${path} ${i + 1}`,
    code,
    output,
  }));
  if (examples.length !== count) throw new Error(`${path}: an example does not say what it prints`);
  return examples;
}

/** A user's project with the examples in it, over the built packages. */
export class ExampleProject {
  readonly directory: string;
  readonly #replacements: Readonly<Record<string, string>>;

  private constructor(directory: string, replacements: Readonly<Record<string, string>>) {
    this.directory = directory;
    this.#replacements = replacements;
  }

  /** @param replacements addresses in the documents, with those of the test */
  static async make(replacements: Readonly<Record<string, string>>): Promise<ExampleProject> {
    const directory = await mkdtemp(join(tmpdir(), 'quern-examples-'));
    await symlink(inRepository('node_modules'), join(directory, 'node_modules'));
    await writeFile(join(directory, 'package.json'), '{"type":"module"}');
    return new ExampleProject(directory, replacements);
  }

  /** Runs programs one after the other in the repository's folder. @returns what each printed */
  async run(examples: readonly DocumentedExample[]): Promise<string[]> {
    await this.#write(examples);
    const imports = examples.map(({ title }) => `await import('./${fileName(title)}');`);
    const main = join(this.directory, 'main.ts');
    await writeFile(main, `${imports.join(`\nconsole.log('${MARK}');\n`)}\n`);
    const env = { ...process.env, NODE_OPTIONS: '', FORCE_COLOR: '0' };
    const args = ['--import', 'tsx', main];
    const { stdout } = await run(process.execPath, args, { cwd: inRepository(), env });
    return stdout.split(`${MARK}\n`);
  }

  /** Compiles programs as a strict project. @returns what the compiler complains of */
  async compile(examples: readonly DocumentedExample[]): Promise<string> {
    await this.#write(examples);
    const tsconfig = {
      extends: inRepository('tsconfig.base.json'),
      compilerOptions: {
        composite: false,
        declaration: false,
        declarationMap: false,
        noEmit: true,
        customConditions: [],
        typeRoots: [inRepository('node_modules/@types')],
      },
      files: examples.map(({ title }) => fileName(title)),
    };
    await writeFile(join(this.directory, 'tsconfig.json'), JSON.stringify(tsconfig));
    const tsc = inRepository('node_modules/typescript/bin/tsc');
    return run(process.execPath, [tsc, '-p', this.directory]).then(
      ({ stdout }) => stdout,
      (error: { stdout: string }) => error.stdout,
    );
  }

  async #write(examples: readonly DocumentedExample[]): Promise<void> {
    for (const { title, code } of examples) {
      const text = Object.entries(this.#replacements).reduce(
        (replaced, [from, to]) => replaced.replaceAll(from, to),
        code,
      );
      await writeFile(join(this.directory, fileName(title)), text);
    }
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

function fileName(title: string): string {
  return `${title.replaceAll(/\W+/g, '-')}.ts`;
}
