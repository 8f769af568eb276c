/** The command line: verbs, arguments and flags. What a verb does is imported when it runs. */
import type { Command as TypedCommand } from '@commander-js/extra-typings';
import { Command } from 'commander';
import pc from 'picocolors';
import { VERSION } from '../core/version.ts';
import { FORMATS } from '../export/formats-node.ts';
import { PRESETS } from '../recipe/presets.ts';
import { addForms, addImport, addVerify } from './file-verbs.ts';
import { BOUND, ENGINE, MODEL, THREADS, WIDE } from './flag-texts.ts';
import type { Io } from './io.ts';
import { recipeOptions, type TrainFlags } from './train-flags.ts';

const FORMAT_NAMES = FORMATS.map(({ name }) => name);

/** Builds the program; `finish` gets the exit code of the verb that ran. */
export function buildProgram(io: Io, finish: (code: number) => void): Command {
  const program = new Command('mobileone');
  program
    .description('Train MobileOne on your images, fuse it with a proof, export it, and measure it.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error:/, pc.red('error:'))),
      getOutHelpWidth: () => Math.min(io.columns(), 120),
    })
    .exitOverride()
    .showSuggestionAfterError(true);
  addTraining(program, io, finish);
  addUsing(program as unknown as TypedCommand, io, finish);
  addVerify(program as unknown as TypedCommand, io, finish);
  addForms(program as unknown as TypedCommand, io, finish);
  addData(program as unknown as TypedCommand, io, finish);
  addImport(program as unknown as TypedCommand, io, finish);
  addRuns(program as unknown as TypedCommand, io, finish);
  addReport(program as unknown as TypedCommand, io, finish);
  addMeasuring(program as unknown as TypedCommand, io, finish);
  addStudy(program as unknown as TypedCommand, io, finish, () => commandLine(program));
  return program;
}

function addTraining(program: Command, io: Io, finish: (code: number) => void): void {
  const train = program
    .command('train')
    .description(
      'Train on a folder of images: DIR/CLASS/*, or DIR/train/CLASS/* and DIR/val/CLASS/*; on a list (.csv, .tsv, .jsonl), a .zip, or .tar, .parquet, IDX or CIFAR files.',
    )
    .argument('[data]', 'the folder or file of images')
    .option('--val <data>', 'the validation images: a list of paths, or a list, folder or archive with labels')
    .option('--out <run>', 'the run folder to make (runs/DATA-VARIANT-N)')
    .option('--resume [run]', 'go on with a run that stopped (the latest in runs/)')
    .option('--pretrained <file>', `begin with the weights of a model: ${MODEL}`)
    .option('--preset <name>', `begin with a preset: ${Object.keys(PRESETS).join(', ')}`)
    .option('--recipe <file>', 'a YAML or JSON file of recipe fields')
    .option(
      '--exclude <file>',
      'leave out the images that a list names: a path a line, or what data doctor --fix writes',
    )
    .option('--explain', 'print every value of the recipe and where it comes from; trains nothing')
    .option('--wide <choice>', WIDE)
    .option('--strict', 'stop at an unreadable image instead of skipping it')
    .option('--no-tensorboard', 'write no event files for TensorBoard (RUN/tensorboard)')
    .option('--json', 'print events, one JSON object a line');
  for (const option of recipeOptions()) train.addOption(option);
  train.action(async (data: string | undefined, options: TrainFlags) => {
    const { trainCommand } = await import('./commands/train.ts');
    finish(await trainCommand(io, data, options, commandLine(program)));
  });
}

/** The command line as it could be typed again. */
function commandLine(program: Command): string {
  const { rawArgs = [] } = program as unknown as { rawArgs?: string[] };
  return ['mobileone', ...rawArgs.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : JSON.stringify(arg)))].join(' ');
}

function addUsing(program: TypedCommand, io: Io, finish: (code: number) => void): void {
  program
    .command('eval')
    .description('Measure accuracy and calibration on labeled images.')
    .argument('<model>', `${MODEL}, or an exported .onnx or .tflite file`)
    .argument('[data]', "a folder, list or archive of labeled images (a run's own validation images)")
    .option('--split <name>', 'train, val, test or all (val where there is one, else all)')
    .option('--batch-size <n>', 'images a batch', '32')
    .option('--corruptions', 'also on corrupted images: eight corruptions at three strengths')
    .option('--diagnose', 'instead compare batch, stored and new BatchNorm statistics, and say what is wrong with them')
    .option('--strict', 'stop at an unreadable image instead of skipping it')
    .option('--engine <name>', ENGINE)
    .option('--threads <n>', THREADS)
    .option('--wide <choice>', WIDE)
    .option('--json', 'print the result as JSON')
    .action(async (model, data, options) => {
      const { evalCommand } = await import('./commands/eval.ts');
      finish(await evalCommand(io, model, data, options));
    });
  program
    .command('predict')
    .description('Say what images show.')
    .argument('<model>', `${MODEL}, or an exported .onnx or .tflite file`)
    .argument('<images...>', 'image files or folders, or lists, archives and packed files as train takes them')
    .option('--top <n>', 'classes to print', '5')
    .option('--engine <name>', ENGINE)
    .option('--threads <n>', THREADS)
    .option('--wide <choice>', WIDE)
    .option('--json', 'print one JSON object an image')
    .action(async (model, images, options) => {
      const { predictCommand } = await import('./commands/predict.ts');
      finish(await predictCommand(io, model, images, options));
    });
  program
    .command('fuse')
    .description('Make the plain form that is shipped, and prove on images that it is the same model.')
    .argument('<model>', MODEL)
    .option('--out <file>', 'the file to write (fused.safetensors in the run, or MODEL-fused.safetensors)')
    .option('--images <data>', "a folder, list or archive of images for the proof (a run's own validation images)")
    .option('--bound <n>', BOUND, '1e-4')
    .option('--engine <name>', ENGINE)
    .option('--threads <n>', THREADS)
    .option('--wide <choice>', WIDE)
    .option('--json', 'print the proof as JSON')
    .action(async (model, options) => {
      const { fuseCommand } = await import('./commands/fuse.ts');
      finish(await fuseCommand(io, model, options));
    });
  program
    .command('export')
    .description(
      'Write the model for other runtimes, run each file there, compare on images, and bundle it with what is needed.',
    )
    .argument('<model>', MODEL)
    .option('--to <formats>', `formats, with commas: ${FORMAT_NAMES.join(', ')}`, FORMAT_NAMES[0])
    .option('--precision <name>', "fp32 or fp16 (each format's own)")
    .option('--size <n>', "image side (the model's)")
    .option('--layout <name>', "of the image input: nhwc or nchw (each format's own)")
    .option('--fixed-batch', 'one image a run, instead of any number')
    .option('--dynamic-size', 'any height and width, instead of one size')
    .option('--no-preprocessing', 'take normalized float32 instead of uint8 images')
    .option('--form <name>', 'fused, or train: with all branches, for measuring only', 'fused')
    .option('--title <text>', 'title of the model card')
    .option('--license <text>', 'terms for the model card')
    .option(
      '--with-runtime',
      'copy the runtimes that the pages among the readers need, so that they load nothing from elsewhere',
    )
    .option('--no-report', "leave the run's report.html as it is, instead of writing it anew with what was measured")
    .option('--out <dir>', 'the folder to make (bundle in the run, or MODEL-bundle)')
    .option(
      '--images <data>',
      "a folder, list or archive of images for the comparison, ten of which go into the bundle (a run's own validation images, else drawn ones)",
    )
    .option('--engine <name>', ENGINE)
    .option('--threads <n>', THREADS)
    .option('--wide <choice>', WIDE)
    .option('--json', 'print the result as JSON')
    .action(async (model, options) => {
      const { exportCommand } = await import('./commands/export.ts');
      finish(await exportCommand(io, model, options));
    });
}

function addRuns(program: TypedCommand, io: Io, finish: (code: number) => void): void {
  const runs = program
    .command('runs')
    .description('List runs: how far, how good, finished or not; or compare some.')
    .argument('[dir]', 'the folder of run folders', 'runs')
    .option('--json', 'print it as JSON')
    .action(async (dir, options) => {
      const { runsCommand } = await import('./commands/runs.ts');
      finish(await runsCommand(io, dir, options));
    });
  runs
    .command('compare')
    .description('Show where the recipes of runs differ, and their results side by side.')
    .argument('<runs...>', 'run folders, or names of folders in runs/')
    .option('--html <file>', 'write a page with their curves over each other')
    .option('--json', 'print it as JSON')
    .action(async (names, _options, command) => {
      const { compareCommand } = await import('./commands/runs.ts');
      finish(await compareCommand(io, names, command.optsWithGlobals()));
    });
}

function addData(program: TypedCommand, io: Io, finish: (code: number) => void): void {
  const data = program.command('data').description('Look at a data set before training on it.');
  data
    .command('doctor')
    .description(
      'Find broken files, duplicates, leaks between splits, contradicting labels. Exit code 1 where there are any; removes nothing.',
    )
    .argument('<data>', 'the folder or file of images')
    .option('--val <data>', 'the validation images, as for train')
    .option('--size <n>', "side of the network's input, for images that are too small", '224')
    .option('--fix <file>', 'write a CSV of what to leave out, for train --exclude')
    .option('--report <file>', 'write a page that shows the findings')
    .option('--json', 'print the findings as JSON')
    .action(async (folder, options) => {
      const { doctorCommand } = await import('./commands/data-doctor.ts');
      finish(await doctorCommand(io, folder, options));
    });
  data
    .command('stats')
    .description(
      'Measure mean and standard deviation of the channels over the training images, for train --mean --std.',
    )
    .argument('<data>', 'the folder or file of images')
    .option('--val <data>', 'the validation images, as for train')
    .option('--size <n>', 'side of the images as the network sees them', '224')
    .option('--in-chans <n>', 'channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA', '3')
    .option('--json', 'print the result as JSON')
    .action(async (folder, options) => {
      const { statsCommand } = await import('./commands/data-stats.ts');
      finish(await statsCommand(io, folder, options));
    });
}

function addReport(program: TypedCommand, io: Io, finish: (code: number) => void): void {
  program
    .command('report')
    .description("Write a finished run's report.html anew: with what was exported since, from its own images.")
    .argument('<run>', 'a run folder')
    .option('--wide <choice>', WIDE)
    .option('--json', 'print the path as JSON')
    .action(async (run, options) => {
      const { reportCommand } = await import('./commands/report.ts');
      finish(await reportCommand(io, run, options));
    });
}

function addMeasuring(program: TypedCommand, io: Io, finish: (code: number) => void): void {
  program
    .command('info')
    .description(
      'Describe a variant (s0 … s4), a network of the zoo, a file, a run, or, without argument, this machine.',
    )
    .argument('[what]', `a variant or network (resnet18 …), ${MODEL}`)
    .option('--size <n>', 'image side for the shapes and counts')
    .option('--fused', 'show the fused form of a variant')
    .option('--plan', 'show how the wasm engine would train it: forms chosen, multiply-adds, memory')
    .option('--batch <n>', 'images a step, for --plan (32)')
    .option('--threads <n>', 'threads, for --plan (as many as cores)')
    .option('--json', 'print it as JSON')
    .action(async (what, options) => {
      const { infoCommand } = await import('./commands/info.ts');
      finish(await infoCommand(io, what, options));
    });
  program
    .command('bench')
    .description(
      'Measure latency: here, on every runtime there is; on a phone, by a link; over minutes; over time. Results are kept.',
    )
    .argument('[model]', `a variant or network (resnet18 …), ${MODEL}`)
    .option('--size <n>', "image side (the model's, or 224)")
    .option('--batch <n>', 'images a run', '1')
    .option('--runtime <list>', 'of wasm, ort-node, ort-web, ort-webgpu, litert (all that need no graphics card)')
    .option('--threads <list>', 'threads, e.g. 1,2 or auto (1; on a page 1,auto)')
    .option('--compare <a,b>', 'two runtimes in turn, e.g. wasm,ort-node@2; without a model: two ids of --history')
    .option('--soak <time>', 'run for minutes and show each, e.g. 5m')
    .option('--predict', 'add up the times of single layers, and say how far that is from the whole')
    .option('--phone', 'serve a page that measures in the browser of a phone, and print its link')
    .option('--lan', 'with --phone: to the whole local network, not to this machine alone')
    .option('--static <dir>', 'write that page as files for any web server')
    .option('--import <file>', 'take in the result that such a page gave to download')
    .option('--history [model]', 'show what was measured before')
    .option('--export <file>', 'write all results to a .csv or .parquet file')
    .option('--no-save', 'do not keep the results')
    .option('--wide <choice>', WIDE)
    .option('--rounds <n>', 'rounds', '20')
    .option('--runs <n>', 'runs a round', '50')
    .option('--json', 'print the result as JSON')
    .action(async (model, options) => {
      const { benchCommand } = await import('./commands/bench.ts');
      finish(await benchCommand(io, model, options));
    });
}

function addStudy(program: TypedCommand, io: Io, finish: (code: number) => void, line: () => string): void {
  program
    .command('study')
    .description(
      "Repeat one of the paper's latency studies on this machine, as tables, figures and a report. Without a name: which there are.",
    )
    .argument('[name]', 'the study')
    .option('--quick', 'two minutes: fewer networks, two runtimes, shorter rounds')
    .option('--out <dir>', 'the folder to write (studies/NAME-DATE)')
    .option('--runtime <list>', 'of wasm, ort-node, ort-web, ort-webgpu, litert; the first is the main one')
    .option('--threads <list>', 'threads, e.g. 1,2 or auto (1)')
    .option('--nets <list>', 'these networks only, e.g. mobileone_s0,mobilenetv2_100')
    .option('--minutes <n>', 'about how long to measure (14; 1.75 with --quick)')
    .option('--resume', 'go on with this study where it was ended')
    .option('--no-save', 'do not keep the measurements in the results store')
    .option('--wide <choice>', WIDE)
    .option('--json', 'print events, one JSON object a line')
    .action(async (name, options) => {
      const { studyCommand } = await import('./commands/study.ts');
      finish(await studyCommand(io, name, options, line()));
    });
}
