// Manual pages, from the list of commands: one of runt itself and one a command. man(7)

import { ERROR_CODES } from '../error-codes.ts'
import type { Flag } from './args.ts'
import type { Command, Commands } from './command.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'

const SECTION = 8

/** @returns file name → text */
export async function manualPages(commands: Commands, version: string): Promise<ReadonlyMap<string, string>> {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()))
  const pages = loaded.map((command): [string, string] => [
    `runt-${command.name}.${SECTION}`,
    commandPage(command, version),
  ])
  return new Map([[`runt.${SECTION}`, mainPage(loaded, version)], ...pages])
}

function mainPage(commands: readonly Command[], version: string): string {
  return [
    title('runt', version),
    section('NAME', 'runt \\- run containers from OCI bundles'),
    section('SYNOPSIS', synopsis('runt', '[global options]', 'COMMAND [options] [operands]')),
    section(
      'DESCRIPTION',
      paragraphs(
        'runt makes and runs containers as the OCI runtime specification describes them: from a bundle, which is a folder with a file config.json and a root file system. Podman, Docker, containerd, CRI-O and Buildah call it as they call runc.',
        "It compiles the bundle: config.json becomes a list of system calls, the list becomes a small program, and this program is the container's first process. runt plan shows the list.",
      ),
    ),
    section(
      'COMMANDS',
      commands.map(({ name, summary }) => entry(`${bold(`runt-${name}`)}(${SECTION})`, summary)).join(''),
    ),
    section('GLOBAL OPTIONS', `They stand before the command.\n${GLOBAL_FLAGS.map(flagEntry).join('')}`),
    section(
      'EXIT STATUS',
      paragraphs(
        '0 when all went well, 1 after an error, which is told on stderr and in the log. runt run ends with the exit status of the program, or 128 and the number of the signal that killed it.',
      ),
    ),
    section(
      'ERRORS',
      `With ${bold('--log-format json')} each line of the log is an object with level, msg and time; an error has a code, too, and what it is about. These are the codes:\n${Object.entries(
        ERROR_CODES,
      )
        .map(([code, about]) => entry(bold(code), about))
        .join('')}`,
    ),
    section(
      'FILES',
      entry(
        '/run/runt',
        'where containers are on record, a folder for each; $XDG_RUNTIME_DIR/runt for an ordinary user',
      ),
    ),
    section('SEE ALSO', seeAlso(commands.map(({ name }) => `runt-${name}`))),
  ].join('')
}

function commandPage({ name, operands, summary, details, flags }: Command, version: string): string {
  const options = flags.length === 0 ? '' : '[options]'
  return [
    title(`runt-${name}`, version),
    section('NAME', `runt\\-${escaped(name)} \\- ${escaped(summary)}`),
    section('SYNOPSIS', synopsis(`runt ${name}`, '[global options]', [options, operands].filter(Boolean).join(' '))),
    section('DESCRIPTION', paragraphs(`${sentence(summary)}.`, ...(details ?? []))),
    flags.length === 0 ? '' : section('OPTIONS', flags.map(flagEntry).join('')),
    section('SEE ALSO', seeAlso(['runt'])),
  ].join('')
}

function title(name: string, version: string): string {
  return `.\\" Made from the table of commands by bin/build-share.ts.\n.TH ${name.toUpperCase()} ${SECTION} "" "runt ${version}" "System Administration"\n`
}

function section(name: string, body: string): string {
  return `.SH ${name}\n${body.trimEnd()}\n`
}

/** "runt create": the global options stand between the two words. */
function synopsis(command: string, globals: string, rest: string): string {
  const [program = '', ...words] = command.split(' ')
  return [bold(program), escaped(globals), ...words.map(bold), escaped(rest)].filter(Boolean).join(' ')
}

function paragraphs(...texts: readonly string[]): string {
  return texts.map((text) => `${escaped(text)}\n`).join('.PP\n')
}

/** @param term formatted already */
function entry(term: string, text: string): string {
  return `.TP\n${term}\n${escaped(text)}\n`
}

function flagEntry({ name, short, value, help }: Flag): string {
  const names = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].map(bold).join(', ')
  return entry(value === undefined ? names : `${names} \\fI${escaped(value)}\\fR`, help)
}

function seeAlso(names: readonly string[]): string {
  return names.map((name) => `${bold(name)}(${SECTION})`).join(', ')
}

function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`
}

/** What roff would take for its own: backslashes, dashes that shall stay such, and a dot or quote that begins a line. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&')
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
