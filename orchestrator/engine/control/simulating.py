"""The mirror's side of a simulated connection: answers as a target would that has nothing yet."""

from __future__ import annotations

from orchestrator.engine.mirror import messages
from orchestrator.engine.mirror.messages import Need, Verdict


class EmptyTarget:
    """Answers the messages of one mirror."""

    def __call__(self, payload: bytes | memoryview) -> list[bytes]:
        """The replies to one message."""
        message = messages.decode_message(payload)
        answer = self._answer(message)
        said = [*([answer] if answer is not None else []), messages.Handled(message.serial)]
        return [messages.encode(reply) for reply in said]

    @staticmethod
    def _answer(message: messages.MirrorMessage) -> messages.MirrorReply | None:
        match message:
            case messages.Entries():
                files = [index for index, entry in enumerate(message.entries) if entry.meta.is_file]
                return messages.Verdicts(message.serial, [Verdict(index, Need.WHOLE) for index in files])
            case messages.Open():
                return messages.Opened(message.transfer, 0)
            case messages.AskSums():
                return messages.Sums(message.transfer, message.offset, b"")
            case messages.Scan():
                return messages.Present(message.directory, [], more=False)
            case messages.End():
                return messages.Ended(message.log_end, 0, 0, 0)
            case _:
                return None
