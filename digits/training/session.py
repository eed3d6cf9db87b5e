"""One training of a model: nobody else trains it, an interruption ends it in order, and one is told how to go on.

with Session(path, worker, resume=False, restart=False) as session:
    progress = session.begin(settings)
    ...                                  # Ctrl-C or SIGTERM in here ends the block
return session.status                    # 0, or 130 or 143 after an interruption
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import sys
from types import TracebackType

from digits.inference.model_files import files_of, refuse_strangers
from digits.support import files
from digits.support.messages import UserError, shown
from digits.training import checkpoint
from digits.training.distributed import cluster
from digits.training.progress import Progress, Settings


class Session:
    """Hold the lock of a model while it trains; turn Ctrl-C and SIGTERM into a message and an exit status.

    Where several workers train together, only the first locks the model, reads the checkpoint and prints.

    Args:
        path: of the model. worker: this process.
        resume: go on with the interrupted training of this model. restart: start over where there is one.

    Attributes:
        status: the exit status that the process should end with.

    Raises:
        UserError: on entering: a file beside the model is not ours to replace; another training of this model is running, or was
            interrupted and neither `resume` nor `restart` is given; or there is nothing to resume.
    """

    def __init__(self, path: pathlib.Path, worker: cluster.Worker, resume: bool, restart: bool) -> None:
        self.path, self.worker, self.resume, self.restart = path, worker, resume, restart
        self.status = 0
        self._begun: tuple[Settings, Progress] | None = None
        self._abandoned: int | None = None  # the file number of the checkpoint that --restart leaves behind
        self._signals: list[int] = []
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Session:
        with self._exit as stack:  # leaves everything as it was if something goes wrong on the way
            if self.worker.is_first:
                paths = files_of(self.path)
                stack.enter_context(files.lock(paths.lock, f"another training of {shown(self.path)}"))
                refuse_strangers(self.path)
                for path in (paths.keras, paths.litert, paths.record, paths.checkpoint):
                    files.remove_leftovers(path)
                self._begun = self._find_begun()
            else:
                stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
            for signum in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(signum) != signal.SIG_IGN:  # nohup
                    stack.callback(signal.signal, signum, signal.signal(signum, self._interrupt))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        with self._exit:
            # What TensorFlow makes of an interrupt while it fails for another reason counts as one, too.
            if error is None or not (self._signals or isinstance(error, KeyboardInterrupt)):
                return False
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being done
            print(f"\ntrain.py: stopped; {self._how_to_go_on()}", file=sys.stderr)
            self.status = 143 if signal.SIGTERM in self._signals else 130
            if self.worker.addresses:
                cluster.end_at_once(self.status)
            return True

    def begin(self, settings: Settings) -> Progress:
        """Return the progress to start from: that of the interrupted training, if it is resumed.

        Raises:
            UserError: the interrupted training had other settings.
        """
        if not self._begun:
            return Progress()
        begun, progress = self._begun
        checkpoint.refuse_other_settings(begun, settings)
        return progress

    def end(self) -> None:
        """Remove the checkpoint: the training is finished and saved. Call this last, as all can go on from it until then."""
        if self.worker.is_first:
            files_of(self.path).checkpoint.unlink(missing_ok=True)

    def _find_begun(self):
        if self.resume:
            return checkpoint.load(self.path)
        path = files_of(self.path).checkpoint
        if self.restart:
            self._abandoned = path.stat().st_ino if path.exists() else None
        elif path.exists():
            settings, progress = checkpoint.load(self.path)
            raise UserError(
                f"a training of {shown(self.path)} was interrupted after epoch {progress.epochs} of {settings.epochs}; go on with "
                f"it: {checkpoint.resume_command(settings)} (or start over with --restart)."
            )
        return None

    def _interrupt(self, signum, _):
        self._signals.append(signum)
        raise KeyboardInterrupt

    def _how_to_go_on(self):
        if not self.worker.is_first:
            return "start all workers again, with --resume if an epoch was finished."
        path = files_of(self.path).checkpoint
        try:
            settings, _ = checkpoint.load(self.path)
        except UserError:
            return "no epoch was finished, so there is nothing to resume."
        how = f"go on{', on every worker,' if self.worker.addresses else ''} with: {checkpoint.resume_command(settings)}"
        if path.stat().st_ino == self._abandoned:
            return f"no epoch was finished, so the earlier training is still there; {how}"
        return how
