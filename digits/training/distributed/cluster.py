"""Who trains together: the workers that TF_CONFIG names, waiting for them, and noticing when one is lost.

    worker = worker_of("multiworker")              # this process's place, by TF_CONFIG
    watch = Watch(worker, timeout=300)
    wait_for_all(worker, watch)
    with watch:                                    # a limit on what needs all workers
        ...

TF_CONFIG is TensorFlow's description of a cluster, which Kubeflow sets and docs/distributed.md shows for Slurm. Nothing
here imports TensorFlow.
"""

import _thread
import atexit
import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import sys
import threading
import time

from digits.support.messages import UserError, printable, reason

STRATEGIES = ("none", "mirrored", "multiworker")  # what `train.py --strategy` takes

# TensorFlow's errors (tf.errors) when another worker is lost. Others, such as too little memory, are passed on.
LOST = (
    "AbortedError",
    "CancelledError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "InternalError",
    "UnavailableError",
    "UnknownError",
)


# host:port; the host is a name or a number, or an IPv6 address in brackets.
ADDRESS = r"([\w-]{1,63}(\.[\w-]{1,63})*|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"


@dataclasses.dataclass(frozen=True)
class Worker:
    """This process among those that train together.

    Attributes:
        addresses: "host:port" of every worker, the first one first; empty where there is only this process.
        index: of this process.
    """

    addresses: tuple[str, ...] = ()
    index: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the one process that writes files and reports."""
        return self.index == 0


def worker_of(name: str, text: str | None = None) -> Worker:
    """Return the Worker that this process is under the strategy `name`, by TF_CONFIG or `text` in its place.

    Raises:
        UserError: TF_CONFIG is missing, or does not describe a cluster of workers and this one's place in it.
    """
    if name != "multiworker":
        return Worker()
    text = os.environ.get("TF_CONFIG", "") if text is None else text
    example = """TF_CONFIG='{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'"""

    def refuse(what):
        raise UserError(f"--strategy multiworker: TF_CONFIG {what}; it must look like {example}.")

    if not text:
        refuse("is not set")
    try:
        config = json.loads(text)
        cluster, kind, index = config["cluster"], str(config["task"]["type"]), int(str(config["task"]["index"]))
        jobs = {job: list(addresses) for job, addresses in cluster.items()}
    except (ValueError, RecursionError):
        refuse("is not JSON, or its task's index is no whole number")
    except (KeyError, TypeError, AttributeError):
        refuse("lacks the cluster's addresses or the task's type and index")
    if others := sorted(set(jobs) - {"chief", "worker"}):
        refuse(f"names the job {printable(str(others[0]))!r}, and there is work for workers (and one chief) only")
    addresses = jobs.get("chief", []) + jobs.get("worker", [])
    for address in addresses:
        if not re.fullmatch(ADDRESS, str(address)) or not 0 < int(address.rpartition(":")[2]) < 65536:
            refuse(f"names the address {printable(str(address))!r}, which is not host:port")
    if len(set(addresses)) < len(addresses):
        refuse("names an address twice")
    if len(jobs.get("chief", [])) > 1 or not 0 <= index < len(jobs.get(kind, [])):
        refuse(f"has no place for {printable(str(kind))} {index} among its {len(addresses)} addresses")
    return Worker(tuple(addresses), index + (len(jobs.get("chief", [])) if kind == "worker" else 0))


class Watch:
    """A limit on how long this worker waits for the others: `with watch:` around whatever needs all of them.

    TensorFlow notices within seconds when a worker ends during the training, but waits without end for one that never
    comes. Either way the user gets one sentence that names the worker, and exit status 2.

    Args:
        worker: Worker.
        timeout: seconds.
    """

    def __init__(self, worker: Worker, timeout: float) -> None:
        self.timeout = timeout
        self._deadline: float | None = None
        self.others = [address for index, address in enumerate(worker.addresses) if index != worker.index]
        self.standard_error = 2
        if self.others:
            with contextlib.suppress(OSError):  # closed: `2>&-`
                self.standard_error = os.dup(2)  # digits/support/native_output.py may send 2 elsewhere
        self._names = {address: f"worker {index} ({printable(address)})" for index, address in enumerate(worker.addresses)}
        if self.others:
            threading.Thread(target=self._end_in_time, daemon=True).start()

    def __enter__(self) -> None:
        self._deadline = time.monotonic() + self.timeout

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        self._deadline = None
        if self.others and error is not None and type(error).__name__ in LOST:
            end_at_once(2)
            raise UserError(self.message(self.silent_workers(), str(error))) from error

    def _end_in_time(self):
        while True:
            time.sleep(0.2)
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                sentence = self.message(self.silent_workers(), how_long=True)
                with contextlib.suppress(OSError):  # nobody listens any more
                    os.write(self.standard_error, f"train.py: error: {sentence}\n".encode())
                os._exit(2)  # the main thread waits inside TensorFlow, which nothing interrupts

    def silent_workers(self) -> list[str]:
        """Return the addresses of the other workers at which nothing answers, or what does is stopped."""
        for _ in range(10):  # a worker that is ending can still answer
            if silent := [address for address in self.others if not _greets(address)]:
                return silent
            time.sleep(0.2)
        return []

    def names(self, addresses: list[str]) -> str:
        """Return the workers at these addresses in words: "worker 1 (host:port), worker 2 (host:port)"."""
        return ", ".join(self._names[address] for address in addresses)

    def message(self, lost: list[str], error: str = "", how_long: bool = False) -> str:
        """Return the sentence about who is lost: the workers at these addresses; where none is, TensorFlow's words (`error`)."""
        names = self.names(lost) or "another worker"
        waited = f" for {self.timeout:g} s (--worker-timeout)" if how_long else ""
        words = "" if lost or not error else f" ({printable(' '.join(error.split())[:300])})"
        return (
            f"{names} ended, never came or cannot be reached{waited}{words}; see what it says, then start all workers "
            "again, with --resume if an epoch was finished."
        )


def keep_sigterm() -> None:
    """See to it that SIGTERM reaches Python's handler. Call this before there are other threads.

    TensorFlow, when it connects to other workers, puts a handler in its place, which notes that the signal came, and no more.
    So it is blocked in all threads, and one waits for it.
    """

    def pass_on():
        signal.sigwait([signal.SIGTERM])
        while True:
            _thread.interrupt_main(signal.SIGTERM)
            time.sleep(5)  # an exception can get lost in code that Python or TensorFlow calls back

    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=pass_on, daemon=True).start()


def end_at_once(status: int) -> None:
    """Have this process end with `status` before Python takes down TensorFlow's threads, which complain of lost workers."""
    atexit.unregister(_end)
    atexit.register(_end, status)


def _end(status):
    sys.stdout.flush()
    os._exit(status)


def _takes_connections(address):
    """Whether anything listens at an address. Of a process that is stopped, the system still takes connections."""
    host, _, port = address.rpartition(":")
    with (
        contextlib.suppress(OSError, UnicodeError),
        socket.create_connection((host.strip("[]"), int(port)), timeout=3) as connection,
    ):
        return connection.getsockname() != connection.getpeername()  # TCP can connect a free port to itself
    return False


def _greets(address):
    """Whether a gRPC server, such as a TensorFlow worker, lives at an address."""
    import grpc  # not before it is needed: it takes a while to import

    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel, contextlib.suppress(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(timeout=3)
        return True
    return False


def wait_for_all(worker: Worker, watch: Watch) -> None:
    """Wait until every worker has come, that is, answers at its address, and say for whom. TensorFlow would wait without end.

    Raises:
        UserError: this worker's port is taken, or a worker has not come in time.
    """
    address = worker.addresses[worker.index]
    try:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        server = socket.create_server(("", int(address.rpartition(":")[2])), family=family, dualstack_ipv6=both, backlog=4096)
    except OSError as error:
        raise UserError(
            f"the port of this worker, {printable(address)} in TF_CONFIG, cannot be used: {reason(error)}; end "
            "what uses it, or choose another port for it on every worker."
        ) from error
    missing, deadline = watch.others, time.monotonic() + watch.timeout
    told: list[str] = []
    with server:  # so that the others see this one
        while missing := [address for address in missing if not _takes_connections(address)]:
            if time.monotonic() > deadline:
                raise UserError(watch.message(missing, how_long=True))
            if missing != told:
                print(f"Waiting for {watch.names(missing)}, up to {watch.timeout:g} s (--worker-timeout) ...", flush=True)
                told = missing
            time.sleep(0.2)


if __name__ == "__main__":  # beside a worker that is connecting: see several_machines.connected
    if sys.stdin.read():
        its_watch = Watch(worker_of("multiworker"), float(sys.argv[1]))
        print(f"train.py: error: {its_watch.message(its_watch.silent_workers(), how_long=True)}", file=sys.stderr)
