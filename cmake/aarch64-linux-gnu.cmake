# Builds for 64-bit ARM on another machine; ctest runs what was built in an emulator.
# (Debian, Ubuntu: apt install g++-aarch64-linux-gnu qemu-user)
#
#     cmake -S . -B build/arm --toolchain cmake/aarch64-linux-gnu.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
