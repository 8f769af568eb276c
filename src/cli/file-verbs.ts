/** The verbs for files: bundles verified, weights imported, forms proved and expanded. */
import type { Command as TypedCommand } from '@commander-js/extra-typings';
import { BOUND, ENGINE, MODEL, THREADS, WIDE } from './flag-texts.ts';
import type { Io } from './io.ts';

export function addVerify(program: TypedCommand, io: Io, finish: (code: number) => void): void {
  program
    .command('verify')
    .description(
      'Repeat the checks of a bundle: the bytes of every file, and what each computes. Exit code 1 when any fails.',
    )
    .argument('<bundle>', 'the folder that export wrote')
    .option('--images <data>', 'also compare the files with each other on these images: a folder, list or archive')
    .option('--threads <n>', 'threads of the runtimes (1)')
    .option('--json', 'print the findings as JSON')
    .action(async (bundle, options) => {
      const { verifyCommand } = await import('./commands/verify.ts');
      finish(await verifyCommand(io, bundle, options));
    });
}

export function addImport(program: TypedCommand, io: Io, finish: (code: number) => void): void {
  program
    .command('import')
    .description('Write the weights of any kind of file as safetensors, under the names of one framework.')
    .argument('<model>', MODEL)
    .requiredOption('--to <file>', 'the .safetensors file to write')
    .option('--naming <name>', 'whose parameter names: timm, apple, mmpretrain or corenet', 'timm')
    .option('--json', 'print the result as JSON')
    .action(async (model, options) => {
      const { importCommand } = await import('./commands/import.ts');
      finish(await importCommand(io, model, options));
    });
}

/** Proofs beside those that fuse and export make, and the way back from the fused form. */
export function addForms(program: TypedCommand, io: Io, finish: (code: number) => void): void {
  program
    .command('prove')
    .description('Prove on images that two forms of a model, or a model and an exported file, compute the same.')
    .argument('<model>', MODEL)
    .argument('[other]', "a model, an exported file, or its folder (the run's fused file, or what fusing makes)")
    .option('--images <data>', "a folder, list or archive of images (a run's own validation images)")
    .option('--bound <n>', `${BOUND} (1e-4; of fp16 files 1e-2)`)
    .option('--runtime <name>', 'what runs an exported file: node or web for ONNX (node)')
    .option('--engine <name>', ENGINE)
    .option('--threads <n>', THREADS)
    .option('--wide <choice>', WIDE)
    .option('--json', 'print the proof as JSON')
    .action(async (model, other, options) => {
      const { proveCommand } = await import('./commands/prove.ts');
      finish(await proveCommand(io, model, other, options));
    });
  program
    .command('expand')
    .description('Bring branches back: a train form whose sum equals a fused model, with the proof, to train on.')
    .argument('<fused>', MODEL)
    .option('-k, --num-conv-branches <n>', 'conv branches a block (those of the variant)')
    .option('--out <file>', 'the file to write (FUSED-kN.safetensors)')
    .option('--seed <n>', 'seed of what tells the branches apart', '0')
    .option('--images <data>', 'a folder, list or archive of images for the statistics of the branches and the proof')
    .option('--bound <n>', BOUND, '1e-4')
    .option('--engine <name>', ENGINE)
    .option('--threads <n>', THREADS)
    .option('--wide <choice>', WIDE)
    .option('--json', 'print the proof as JSON')
    .action(async (fused, options) => {
      const { expandCommand } = await import('./commands/expand.ts');
      finish(await expandCommand(io, fused, options));
    });
}
