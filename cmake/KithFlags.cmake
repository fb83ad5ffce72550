# The compiler flags. `kith_own` carries those that only our own code is held to; generated code
# and libraries never see it. Sanitizers and hardening go to everything that is compiled.
include(CheckCCompilerFlag)
include(CheckPIESupported)

check_pie_supported(LANGUAGES C)

if("${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_DEBUG} ${CMAKE_C_FLAGS_RELEASE}" MATCHES "NDEBUG")
  message(FATAL_ERROR "The flags carry -DNDEBUG. Asserts stay on in every build: take it out.")
endif()

set(kith_warnings
    -Wall
    -Wextra
    -Wpedantic
    -Wshadow
    -Wconversion
    -Wsign-conversion
    -Wformat=2
    -Wundef
    -Wvla
    -Wcast-qual
    -Wcast-align
    -Wpointer-arith
    -Wwrite-strings
    -Wstrict-prototypes
    -Wmissing-prototypes
    -Wold-style-definition
    -Wswitch-enum
    -Wimplicit-fallthrough
    -Wdouble-promotion
    -Wnull-dereference
    -Wfloat-equal)

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(
    APPEND
    kith_warnings
    -Wlogical-op
    -Wduplicated-cond
    -Wduplicated-branches
    -Wjump-misses-init
    -Walloca
    -Wtrampolines
    -Wformat-overflow=2
    # 1, not 2: 2 also strikes where the result of snprintf is checked, as it should be.
    -Wformat-truncation=1
    -Warith-conversion)
elseif(CMAKE_C_COMPILER_ID MATCHES "Clang")
  list(APPEND kith_warnings -Wcomma)
endif()

if(KITH_WERROR)
  list(APPEND kith_warnings -Werror)
endif()

# banned.h comes first in each of our own files, so that nobody has to remember to include it.
add_library(kith_own INTERFACE)
target_compile_options(
  kith_own INTERFACE ${kith_warnings} -fno-common "SHELL:-include ${CMAKE_SOURCE_DIR}/common/base/banned.h")
target_compile_definitions(kith_own INTERFACE _GNU_SOURCE)
target_include_directories(kith_own INTERFACE "${CMAKE_SOURCE_DIR}")

# Paths in asserts and logs are relative to the tree, so that builds do not differ by folder.
add_compile_options("-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")

if(KITH_HARDENING)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong)
  # -ftrivial-auto-var-init is left out: gcc 12.2 at -O2 zeroes live bytes with it where a
  # nested struct is copied inside an initializer ({ .id = 1, .refusal = *refusal }).
  # Some of these exist on some processors or in some compilers only.
  foreach(flag -fstack-clash-protection -fcf-protection)
    string(MAKE_C_IDENTIFIER "KITH_HAS${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
      add_compile_options(${flag})
    endif()
  endforeach()
  add_link_options(-Wl,-z,relro,-z,now)
endif()

# 8 % less processor time for an event, over all services; twice the time to build.
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${KITH_LTO})

if(KITH_SANITIZE)
  add_compile_options(-fsanitize=${KITH_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KITH_SANITIZE})
endif()

if(KITH_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "KITH_FUZZ needs clang; use: cmake --preset fuzz")
  endif()
  # fuzzer-no-link: the code is instrumented, but only the fuzz targets get libFuzzer's main().
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(KITH_COVERAGE)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "KITH_COVERAGE needs clang; use: cmake --preset coverage")
  endif()
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
