"""The commands that run a long job to its end, `snapshot` and `verify`: here, or with `--url` in a running service."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from service.cli.admin_client import Document
from service.cli.asking import asking, followed
from service.cli.configured import Config, one_pipeline
from service.cli.progress_bar import JobBar
from service.cli.tables import Output
from service.configuration.settings import Settings
from service.errors import HaltError
from service.loading import loading
from service.operations.documents.jobs import Job, JobState, Snapshot, Verification
from service.signals import Signals, run_until_signal

AJob = TypeVar("AJob", bound=Job)

DIFFERENCES_LEFT = 3
"""The exit code of `verify` when both tables differ."""

Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Let the service whose admin API is here do it. Its token comes from DYNAMIRROR_ADMIN_TOKEN.",
    ),
]
PipelineName = Annotated[
    str | None, typer.Option("--pipeline", metavar="NAME", help="Which of the service's pipelines, or of the file's.")
]


def _fraction(sample: float | None) -> float | None:
    """Not 0, of which any two tables are equal."""
    if sample is not None and not 0 < sample <= 1:
        raise typer.BadParameter("a fraction of the keys is above 0, at most 1")
    return sample


def snapshot(url: Url = None, config: Config = None, pipeline: PipelineName = None) -> None:
    """Copy the whole source into the replica, beside the stream.

    A snapshot that was interrupted goes on where it was. Without --url, this process replicates until the copy is done;
    no other may do so meanwhile.
    """
    settings = _own_settings(url, config, pipeline)
    with JobBar("snapshot") as bar:

        def show(job: Snapshot) -> None:
            counts = f"{job.items_scanned} scanned, {job.items_written} written"
            bar.show(job.items_scanned, job.items_estimated, counts, is_over=job.state is not JobState.RUNNING)

        if settings is None:
            job = _followed(url, pipeline, Snapshot, "snapshot", "/snapshot", {}, show)
        else:
            # Here, since it brings the AWS SDK with it, which takes half a second to load.
            with loading():
                from service.cli.standalone import take_snapshot

            job = run_until_signal(
                take_snapshot(settings, show),
                "the snapshot goes on when you start it again",
                Signals(settings.shutdown_timeout_seconds),
            )
    print(f"{job.items_scanned} items scanned, {job.items_written} written")


def verify(
    url: Url = None,
    config: Config = None,
    pipeline: PipelineName = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend the differences in the replica.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    sample: Annotated[
        float | None,
        typer.Option(metavar="FRACTION", help="Look only at so much of the keys, such as 0.01.", callback=_fraction),
    ] = None,
    settle_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Without --url: shorter differences are ignored.", min=0, max=86400)
    ] = 30.0,
) -> None:
    """Compare source and replica item by item.

    Beside a running service or without one. Exit code 3 when they differ; with --repair, when a difference is left.
    Without --url, this process replicates until the repair is done; no other may do so meanwhile.
    """
    settings = _own_settings(url, config, pipeline)
    with JobBar("verify") as bar:

        def show(job: Verification) -> None:
            found = job.missing + job.extra + job.different
            counts = f"{job.items_compared} compared, {found} differ"
            is_over, is_good = job.state is not JobState.RUNNING, found <= job.repaired
            bar.show(job.items_read, job.items_estimated, counts, is_over=is_over, is_good=is_good)

        if settings is None:
            asked = {"repair": repair} | ({} if sample is None else {"sample": sample})
            job = _followed(url, pipeline, Verification, "verification", "/verify", asked, show)
        else:
            # Here, since it brings the AWS SDK with it, which takes half a second to load.
            with loading():
                from service.cli.standalone import take_look, take_repair

            if repair:
                work = take_repair(settings, show, sample=sample)
                if_stopped = "the repair goes on when you start it again"
            else:
                work = take_look(settings, show, sample=sample, settle_seconds=settle_seconds)
                if_stopped = "nothing was compared to the end"
            job = run_until_signal(work, if_stopped, Signals(settings.shutdown_timeout_seconds))
    print(job.model_dump_json(by_alias=True)) if as_json else _print(job)
    if job.missing + job.extra + job.different > job.repaired:
        raise typer.Exit(DIFFERENCES_LEFT)


def _own_settings(url: str | None, config: Path | None, pipeline: str | None) -> Settings | None:
    """None: the service at the URL does the work. Raises ConfigurationError, BadParameter."""
    if url is None:
        return one_pipeline(config, pipeline)
    if config is not None:
        raise typer.BadParameter("--config is for the work of this process: with --url, the service has its own")
    return None


def _followed(
    url: str | None,
    pipeline: str | None,
    model: type[AJob],
    kind: str,
    path: str,
    asked: Document,
    show: Callable[[AJob], None],
) -> AJob:
    """A job in a running service, from its start to its end.

    Raises HaltError when it failed or was cancelled there, or does not go on.
    """
    with asking(url, pipeline) as client:
        begun = client.ask("POST", path, "id", json=asked)
        found = followed(client, kind, begun, lambda each: show(model.model_validate(each)))
    job = model.model_validate(found)
    show(job)
    if job.error or job.state is JobState.FAILED:
        raise HaltError(job.error or f"the job {job.id} failed in the service at {url}")
    if job.state is JobState.CANCELLED:
        raise HaltError(f"the job {job.id} was cancelled in the service at {url}")
    return job


def _print(job: Verification) -> None:
    console = Output(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    for differing in job.differing_keys:
        console.print(f"{differing['kind']}: {json.dumps(differing['key'], ensure_ascii=False)}")
    found = job.missing + job.extra + job.different
    if not found:
        console.print(f"{job.items_compared} items compared: equal")
        return
    mended = f", {job.repaired} mended" if job.repair else ""
    console.print(
        f"{job.items_compared} items compared: {found} differ ({job.missing} missing, {job.extra} extra, "
        f"{job.different} different){mended}"
    )
