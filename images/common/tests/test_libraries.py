"""What wheels count on and don't bring: the libraries that manylinux leaves to the system, OpenMP, time zones."""

import ctypes
import subprocess
import sys

import pytest

# auditwheel's policy for manylinux_2_28 and older. libGL.so.1 isn't here, for it would bring 213 MB: OpenCV is
# to be had as opencv-python-headless.
MANYLINUX = """
libICE.so.6 libSM.so.6 libX11.so.6 libXext.so.6 libXrender.so.1 libatomic.so.1 libc.so.6 libdl.so.2 libexpat.so.1
libgcc_s.so.1 libglib-2.0.so.0 libgobject-2.0.so.0 libgthread-2.0.so.0 libm.so.6 libnsl.so.1 libpthread.so.0
libresolv.so.2 librt.so.1 libstdc++.so.6 libutil.so.1 libz.so.1
""".split()


@pytest.mark.parametrize("name", [*MANYLINUX, "libgomp.so.1"])
def test_a_wheel_finds_the_system_s_libraries(name):
    """libgomp: LightGBM's wheel and others leave it out, whatever the policy says."""
    ctypes.CDLL(name)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "US/Pacific", "UTC"])
def test_python_knows_the_time_zones(zone):
    """Those of old, too, which Debian has apart; in a process of its own, without the suite's packages."""
    script = f"import zoneinfo; print(zoneinfo.ZoneInfo({zone!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == zone, done.stderr
