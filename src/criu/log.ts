// What CRIU's log says went wrong, for the sentence of runt's error.

/** Lines of the log that a message quotes, at most. */
const MOST = 6

/** CRIU complains of these wherever runt lacks a right, and goes on. */
const HARMLESS = [/rlimit: Can't setup RLIMIT_NOFILE/]

/**
 * The last errors of a log, as "what (where in CRIU's source)".
 * @param text like "(00.180936) Error (criu/files-reg.c:1790): Can't lookup mount=27", also of a task: "(00.1)     42: Error …",
 *   and without the time, as an answer has it
 */
export function errorsIn(text: string): string[] {
  const errors = [...text.matchAll(/^(?:\(\d+\.\d+\)[^\n]*?\b|pie: \d+: )?Error \(([^)\n]*)\): ([^\n]*)$/gm)]
    .map(([, where, what]) => `${what?.trim()} (${where})`)
    .filter((error) => !HARMLESS.some((pattern) => pattern.test(error)))
  return errors.filter((error, index) => errors.indexOf(error) === index).slice(-MOST)
}
