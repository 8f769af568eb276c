/** Opens the model that a run learns from. */
import { existsSync, statSync } from 'node:fs';
import { isHubName } from '../checkpoint/hub-node.ts';
import { UserError } from '../core/errors.ts';
import { cacheFolder } from '../data/cache-folder-node.ts';
import type { Engine } from '../engine/engine.ts';
import { FIELD_NAMES, FIELDS } from '../recipe/fields.ts';
import { autoAugmentOf } from '../recipe/recipe.ts';
import { type Teacher, type TeacherModel, teach } from '../train/teacher.ts';
import { fileHash, openTeacherCache } from '../train/teacher-cache-node.ts';
import { onnxTeacher, ownTeacher } from '../train/teacher-models-node.ts';
import type { RunLoaders } from './open-data.ts';
import { openModel } from './open-model.ts';
import type { RunPlan } from './plan-run.ts';

/** The teacher of a run, or undefined if it has none. Throws a UserError for one that can't teach these classes. */
export async function openTeacher(engine: Engine, plan: RunPlan, loaders: RunLoaders): Promise<Teacher | undefined> {
  const { recipe, data } = plan;
  if (recipe.teacher === null) return undefined;
  if (!isHubName(recipe.teacher) && !existsSync(recipe.teacher))
    throw new UserError(`There is no teacher ${recipe.teacher}.`, 'Name a run folder, a model file or an ONNX file.');
  const { classes } = data.train;
  const { path, model } = await openModelOf(engine, plan, recipe.teacher);
  const { stepsPerEpoch } = loaders.train;
  const cache = await openTeacherCache({
    folder: cacheFolder('teachers'),
    key: await cacheKey(plan, path),
    floats: stepsPerEpoch * recipe.batch_size * classes.length,
    epochs: recipe.epochs,
  });
  try {
    return teach(model, { classes, stepsPerEpoch, batchSize: recipe.batch_size, cache });
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

async function openModelOf(
  engine: Engine,
  { recipe, data }: RunPlan,
  target: string,
): Promise<{ path: string; model: TeacherModel }> {
  const { batch_size: batch, size, teacher_size, teacher_preprocess: preprocess } = recipe;
  if (/\.onnx$/i.test(target) && !isHubName(target) && !statSync(target).isDirectory()) {
    const { threads } = engine.capabilities();
    const classes = data.train.classes.length;
    const options = { batch, size, teacherSize: teacher_size, preprocess, classes, threads };
    return { path: target, model: await onnxTeacher(target, options) };
  }
  if (preprocess !== null)
    throw new UserError(`${target} has its preprocessing inside.`, 'Leave teacher_preprocess at auto.');
  const { path, model } = await openModel(target);
  return { path, model: await ownTeacher(engine, model, target, { batch, size: teacher_size ?? size }) };
}

/** All that the teacher's answers depend on: itself, the images, and what is done to them. */
async function cacheKey({ recipe, samples, preprocessing }: RunPlan, path: string): Promise<unknown> {
  const own = ['size', 'epochs', 'batch_size', 'sampler', 'seed', 'teacher_size', 'teacher_preprocess'];
  const fields = FIELD_NAMES.filter((name) => FIELDS[name].group === 'augmentation' || own.includes(name));
  const given = fields.map((name) => [name, recipe[name]]);
  return [await fileHash(path), samples, preprocessing, given, autoAugmentOf(recipe)];
}
