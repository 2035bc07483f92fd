"""Prints the GPUs that the container has been lent, a line each, by CUDA's runtime alone."""

import ctypes
import json

cuda = ctypes.CDLL("libcudart.so.13")
cuda.cudaGetErrorName.restype = ctypes.c_char_p
NONE_THERE = ("cudaErrorNoDevice", "cudaErrorInsufficientDriver")


def call(name, *arguments):
    error = cuda.cudaGetErrorName(getattr(cuda, name)(*arguments)).decode()
    if error != "cudaSuccess":
        raise RuntimeError(f"{name}: {error}")


def number_of(name):
    number = ctypes.c_int()
    call(name, ctypes.byref(number))
    return number.value


def gpus():
    try:
        count = number_of("cudaGetDeviceCount")
    except RuntimeError as error:
        if not str(error).endswith(NONE_THERE):
            raise
        count = 0
    for index in range(count):
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        call("cudaSetDevice", index)
        call("cudaMemGetInfo", ctypes.byref(free), ctypes.byref(total))
        yield {"gpu": index, "free": free.value, "total": total.value}


if __name__ == "__main__":
    print(json.dumps({"cuda": number_of("cudaRuntimeGetVersion"), "gpus": list(gpus())}))
