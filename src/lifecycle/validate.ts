// validate: the verdict on a bundle's config.json, for a person or a program.

export { describeProblem, type Told, validateBundle } from '../config/load.ts'
