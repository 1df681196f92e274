"""Which columns of its own rows a plan needs: only those are read."""

from graph.planner import plan


def needed(block: plan.Block) -> set[str]:
    needed: set[str] = set()
    for output in block.outputs:
        if isinstance(output, plan.Nodes):
            needed |= needed_members(output.members)
        elif isinstance(output, plan.Edges):
            for _, entry in output.entries:
                needed |= set() if isinstance(entry, str) else needed_members(entry)
    return needed


def needed_members(members: tuple[plan.Member, ...]) -> set[str]:
    needed: set[str] = set()
    for member in members:
        if isinstance(member, plan.Leaf):
            needed |= set(member.column.needs)
        elif isinstance(member, plan.Nest):
            needed |= needed_members(member.members) | set(
                member.embedded.present.needs if member.embedded.present else ()
            )
        elif isinstance(member, plan.Link):
            needed.add(member.one.here)
        elif isinstance(member, plan.Listed):
            kind = member.block.kind
            needed |= {name for name in (getattr(kind, "here", None), getattr(kind, "within", None)) if name}
    return needed
