/** The names of the two forms in which a model is measured. */
export const FORMS = { train: 'train form, branches', fused: 'fused' } as const;
