// A program in a container that lies in wait for every process that comes in.

/** In words, files and variables of the host alone. */
export const MARK = 'of-the-host'

const TRACER = ['CAP_SYS_PTRACE', 'CAP_DAC_OVERRIDE', 'CAP_KILL']
const TRACER_BITS = (1 << 19) | (1 << 1) | (1 << 5)

/** What its container may: look into every process. */
export const TRACING = { '/process/capabilities': { bounding: TRACER, effective: TRACER, permitted: TRACER } }

/**
 * A shell that forks nothing, and looks at each new process again and again, in all ways that it has. What is not the
 * container's goes to /mnt/caught, how often it came in time to /mnt/seen.
 */
const LOOKER = `
  own=; while read -r line; do own="$own $line "; done < /proc/self/cgroup
  caught() { echo "$n: $*" >> /mnt/caught; }
  # One that ends (PF_EXITING of its flags) is in no cgroup of v1 any more, for a moment before its root goes as well.
  ending() { stat=; read -r stat < $p/stat; set -- \${stat##*) }; test -z "$7" || test $(($7 & 4)) != 0; }
  look() {
    test -e $p/root/$MARK && caught root
    test -e $p/cwd/${MARK} && caught cwd
    for fd in 3 4 5 6 7 8 9 10 11 12; do
      test -f $p/fd/$fd && caught fd $fd
      test -d $p/fd/$fd && caught fd $fd
    done
    for file in cmdline environ; do
      line=; read -r line < $p/$file; case $line in *${MARK}*) caught $file ;; esac
    done
    other=; while read -r line; do case $own in *" $line "*) ;; *) other="$other $line" ;; esac; done < $p/cgroup
    test -n "$other" && ! ending && caught cgroup $other
    while read -r name value; do
      case $name in CapPrm:|CapEff:|CapBnd:) test $((0x$value & ~${TRACER_BITS})) = 0 || caught $name $value ;; esac
    done < $p/status
  }
  n=2
  echo > /mnt/ready
  while :; do
    p=/proc/$n
    if test -d $p; then
      tries=0
      while test -d $p && test $tries -lt 20; do
        comm=; read -r comm < $p/comm
        look
        case $comm in true|'') ;; *) echo $n >> /mnt/seen; $HARM ;; esac
        tries=$((tries + 1))
      done
      n=$((n + 1))
    elif test -d /proc/$((n + 1)) || test -d /proc/$((n + 2)); then n=$((n + 1))
    fi
  done 2>/dev/null`

/**
 * The looker, as a script.
 * @param file on the host alone
 * @param harm what else it does to process $n as long as that is no program yet
 */
export function lookerIn(file: string, harm = ':'): string {
  return LOOKER.replaceAll('$MARK', file.slice(1)).replaceAll('$HARM', harm)
}
