"""``make demo``: set the stage, tell the story, write demo-report.json, take everything down again."""

from __future__ import annotations

import subprocess
import sys

import urllib3

from demo.administrator import StoryBroken
from demo.narrator import Narrator
from demo.report import FILE
from demo.stage import Stage, end_on_signals
from demo.story import Story


def main() -> int:
    """Run the demo; the exit code is 0 only when everything was as promised."""
    end_on_signals()
    narrator, stage = Narrator(), Stage.build()
    story = Story(stage, narrator)
    try:
        story.tell()
    except (StoryBroken, OSError, subprocess.CalledProcessError, urllib3.exceptions.HTTPError) as error:
        narrator.broke(str(error), stage.log_tails())
        return 1
    except KeyboardInterrupt:
        narrator.says("stopped; everything is taken down")
        return 130
    finally:
        stage.strike()
    story.found.save()
    narrator.closes(story.found.rows(), good=story.found.is_good)
    narrator.says(f"the figures are in {FILE.resolve()}")
    return 0 if story.found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
