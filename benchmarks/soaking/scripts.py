"""What the jobs of the soak are: small programs that note what becomes of them."""

JOB = """\
# What a job does: notes its beginning, naps, notes its end and exits. bash FILE NOTES NAME NAP CODE WAY [GATE]
unset -f exit trap exec command set  # a caller may have exported functions of these names
notes=$1 name=$2 nap=$3 code=$4 way=${5:-plain} gate=${6:-}
[ -e "$notes.mended" ] && code=0
note() { echo "$1 $name $code ${EPOCHREALTIME/,/.} $BASHPID" >> "$notes"; }
note begin
while [ -n "$gate" ] && [ ! -e "$gate" ]; do sleep 0.02; done
case $way in
  plain) sleep "$nap" ;;
  polite) trap 'note term; exit 0' TERM; sleep "$nap" & wait $! ;;
  deaf) trap 'note term' TERM; end=$((SECONDS + 60)); while [ $SECONDS -lt $end ]; do sleep 0.05; done ;;
esac
note end
exit "$code"
"""
LINKS = """\
# A chain of processes, each of which notes itself, begets the next and is gone; python FILE NOTES GAP_S LEAVES HALT
import os, sys, time
notes, gap, leaves, halt = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "leaves", sys.argv[4]
fd, until = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT), time.monotonic() + 60
while time.monotonic() < until and not os.path.exists(halt):
    os.write(fd, b"link chain 0 %f %d\\n" % (time.time(), os.getpid()))
    time.sleep(gap)
    if os.fork():
        os._exit(0)
    if leaves:
        os.setsid()
"""
HIDER = """\
# A process that forks twice, or leaves the session, as it is told, and then sleeps; python FILE NOTES HOW
import os, sys, time
how = sys.argv[2].split("+")
if "session" in how:
    os.fork() and os._exit(0)
    os.setsid()
if "twice" in how:
    os.fork() and os._exit(0)
    os.fork() and os._exit(0)
if "closed" in how:
    os.closerange(0, 100)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(fd, b"hidden one 0 %f %d\\n" % (time.time(), os.getpid()))
os.close(fd)
time.sleep(60)
"""
