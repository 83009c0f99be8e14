// Manual pages, from the list of commands: one of runt itself and one a command. man(7)

import { ERROR_CODES } from '../error-codes.ts'
import type { Flag } from './args.ts'
import type { Command, Commands } from './command.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import type { Edition } from './manual-file.ts'

const SECTION = 8

/** Pages of section 5, made of documents. */
const FILE_PAGES = ['runt-landlock', 'runt-exit-record'].map((name) => `${bold(name)}(5)`)

const EXAMPLES: Command['examples'] = [
  ['runt spec --bundle box', 'a config.json to start from, beside the root file system box/rootfs'],
  ['runt run --bundle box mine', 'a container of it, with its program in the foreground'],
  ['runt --debug --log log create --bundle box mine', 'the same in steps, with all that is done in the file log'],
]

/** @returns file name → text */
export async function manualPages(commands: Commands, edition: Edition): Promise<ReadonlyMap<string, string>> {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()))
  const pages = loaded.map((command): [string, string] => [
    `runt-${command.name}.${SECTION}`,
    commandPage(command, edition),
  ])
  return new Map([[`runt.${SECTION}`, mainPage(loaded, edition)], ...pages])
}

function mainPage(commands: readonly Command[], edition: Edition): string {
  return [
    title('runt', SECTION, edition),
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
    section('EXAMPLES', EXAMPLES.map(([line, what]) => entry(bold(line), what)).join('')),
    section('SEE ALSO', [seeAlso(commands.map(({ name }) => `runt-${name}`)), ...FILE_PAGES].join(', ')),
  ].join('')
}

function commandPage({ name, operands, summary, details, flags, examples }: Command, edition: Edition): string {
  const options = flags.length === 0 ? '' : '[options]'
  return [
    title(`runt-${name}`, SECTION, edition),
    section('NAME', `runt\\-${escaped(name)} \\- ${escaped(summary)}`),
    section('SYNOPSIS', synopsis(`runt ${name}`, '[global options]', [options, operands].filter(Boolean).join(' '))),
    section('DESCRIPTION', paragraphs(`${sentence(summary)}.`, ...(details ?? []))),
    flags.length === 0 ? '' : section('OPTIONS', flags.map(flagEntry).join('')),
    section('EXAMPLES', examples.map(([line, what]) => entry(bold(line), what)).join('')),
    section('SEE ALSO', seeAlso(['runt'])),
  ].join('')
}

export function title(name: string, section: number, { version, date }: Edition): string {
  const volume = section === SECTION ? 'System Administration' : 'File Formats'
  return `.\\" Made by bin/build-share.ts.\n.TH ${name.toUpperCase()} ${section} "${date}" "runt ${version}" "${volume}"\n`
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

export function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`
}

/** What roff would take for its own: backslashes, dashes that shall stay such, and a dot or quote that begins a line. */
export function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&')
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
