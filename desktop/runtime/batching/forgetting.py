"""Everything that is kept of conversations, dropped on request: in the KV cache, in RAM and on the disk."""

from desktop.engine.protocol import ConversationsForgotten, FailureKind, ForgetConversations
from desktop.runtime.batching.sequences import SequencePool
from desktop.runtime.cache.entries import whose
from desktop.runtime.cache.tiers import Tiers
from desktop.runtime.failures import EngineError


def forget(request: ForgetConversations, *, pool: SequencePool, tiers: Tiers) -> ConversationsForgotten:
    """Carry it out between two steps; files of many conversations take some milliseconds each.

    Raises EngineError(BAD_REQUEST) for a conversation without a name, which others may be without too, and
    EngineError(INTERNAL) where the folder cannot be read; what is in memory has gone then.
    """
    if request.conversations is not None and "" in request.conversations:
        place = request.conversations.index("")
        raise EngineError(FailureKind.BAD_REQUEST, f"conversations[{place}] has no name")
    meant = whose(request.conversations)
    try:
        # The cache first: what it drops must not be written to the tiers meanwhile.
        gone = pool.forget(meant).plus(tiers.forget(meant))
    except OSError as error:
        detail = f"the folder of kept conversations cannot be read: {error.strerror}"
        raise EngineError(FailureKind.INTERNAL, detail) from error
    return ConversationsForgotten(request_id=request.request_id, entries=gone.entries, size=gone.size, left=gone.left)
