"""AMD's cards by sysfs, which needs no tool of the maker: memory from the graphics driver, the rest from its topology.

The files: `mem_info_*` (kernel's amdgpu documentation) and `/sys/class/kfd/kfd/topology/nodes/*/properties` (amdkfd).
"""

import re
from collections.abc import Mapping
from pathlib import Path

from modelshelf.compat.machine import Gpu
from modelshelf.compat.vendors.tools import number, text

TOPOLOGY = "sys/class/kfd/kfd/topology/nodes"
PROCESSES = "sys/class/kfd/kfd/proc"


def amd_gpus(root: Path = Path("/")) -> tuple[Gpu, ...]:
    """Every card of the driver amdgpu.

    A processor with graphics has a little memory set aside (`vram`) and may use more of the machine's (`gtt`): where
    that is the larger part it counts as unified.
    """
    nodes = _nodes(root)
    driver = text(root / "sys/module/amdgpu/version") or None
    found = []
    for device in sorted((root / "sys/class/drm").glob("card[0-9]*/device")):
        total = number(device / "mem_info_vram_total")
        if total:
            found.append(_card(root, device, total, _node_of(device, nodes), driver))
    return tuple(found)


def _card(root: Path, device: Path, total: int, node: Mapping[str, str], driver: str | None) -> Gpu:
    free = max(total - number(device / "mem_info_vram_used"), 0)
    shared = number(device / "mem_info_gtt_total")
    # Cards with chips of their own say who made the chips; processors with graphics have none.
    unified = shared > total and not text(device / "mem_info_vram_vendor")
    if unified:
        free += max(shared - number(device / "mem_info_gtt_used"), 0)
        total += shared
    compute = gfx(node.get("gfx_target_version", ""))
    return Gpu(
        name=text(device / "product_name") or (f"AMD {compute}" if compute else "AMD graphics card"),
        vendor="amd",
        memory_total=total,
        memory_free=free,
        unified=unified,
        origin=f"sysfs {device.parent.name}",
        memory_idle=total,
        compute=compute,
        driver=driver,
        users=_users(root, node.get("gpu_id", "")),
    )


def gfx(version: str) -> str | None:
    """110000 is gfx1100, 90010 is gfx90a: two digits each for minor and stepping, which are written in hexadecimal."""
    if not (version.isascii() and version.isdigit()) or not int(version):
        return None
    whole = int(version)
    return f"gfx{whole // 10000}{whole // 100 % 100:x}{whole % 100:x}"


def _nodes(root: Path) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = []
    for folder in sorted((root / TOPOLOGY).glob("[0-9]*")):
        pairs = (line.split(maxsplit=1) for line in text(folder / "properties").splitlines())
        node = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
        found.append({**node, "gpu_id": text(folder / "gpu_id")})
    return found


def _node_of(device: Path, nodes: list[Mapping[str, str]]) -> Mapping[str, str]:
    """The node with the card's render device: `drm_render_minor 128` belongs to `renderD128`."""
    minors = {match[1] for path in device.glob("drm/renderD*") if (match := re.fullmatch(r"renderD(\d+)", path.name))}
    return next((node for node in nodes if node.get("drm_render_minor") in minors), {})


def _users(root: Path, card: str) -> tuple[tuple[int, int], ...]:
    if not card.isdigit():
        return ()
    files = sorted((root / PROCESSES).glob(f"[0-9]*/vram_{card}"))
    return tuple((int(path.parent.name), number(path)) for path in files if path.parent.name.isdigit())
