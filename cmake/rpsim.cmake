# Compiler settings, dependencies, and the three functions with which a room declares its parts.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(SYSTEMC REQUIRED IMPORTED_TARGET systemc)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_path(FDT_INCLUDE libfdt.h REQUIRED)
# A shared library is five mappings, all of which every fork copies: archives where Debian has them.
find_library(FDT_LIBRARY NAMES libfdt.a fdt REQUIRED)
find_library(NETTLE_LIBRARY NAMES libnettle.a nettle REQUIRED)
find_library(SQLite3_LIBRARY NAMES libsqlite3.a sqlite3 REQUIRED)
find_package(SQLite3 REQUIRED)
find_library(YAML_CPP_LIBRARY NAMES libyaml-cpp.a yaml-cpp REQUIRED)
set_target_properties(yaml-cpp PROPERTIES IMPORTED_LOCATION_NONE ${YAML_CPP_LIBRARY})
find_program(DTC dtc REQUIRED)

add_library(fdt_lib INTERFACE)
target_include_directories(fdt_lib INTERFACE ${FDT_INCLUDE})
target_link_libraries(fdt_lib INTERFACE ${FDT_LIBRARY})
# tl::expected is a header.
add_library(tl_expected INTERFACE)

# Bound when the program starts, or each child of a fork binds anew what the prefix had no use for.
add_link_options($<$<LINK_LANGUAGE:CXX>:LINKER:-z,now>)

# Everything sees the project root, SystemC and the same warnings.
add_library(rpsim_base INTERFACE)
target_include_directories(rpsim_base INTERFACE ${CMAKE_SOURCE_DIR})
target_link_libraries(rpsim_base INTERFACE PkgConfig::SYSTEMC fmt::fmt Threads::Threads)
# Debian's SystemC was built as C++17 and says so in a link-time symbol; it links and runs from C++20.
target_compile_definitions(rpsim_base INTERFACE SC_CPLUSPLUS=201703L SC_INCLUDE_DYNAMIC_PROCESSES)
target_compile_options(rpsim_base INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Werror -Wnon-virtual-dtor -Wno-missing-field-initializers
                            -Wno-unused-parameter>)
if(RPSIM_SANITIZE)
  target_compile_options(rpsim_base INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
                                              -fno-omit-frame-pointer)
  target_link_options(rpsim_base INTERFACE -fsanitize=address,undefined)
  add_library(rpsim_asan_stacks OBJECT ${CMAKE_SOURCE_DIR}/cmake/asan_stacks.cpp)
  target_sources(rpsim_base INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:rpsim_asan_stacks>>)
endif()

# One precompiled header for every library.
file(WRITE ${CMAKE_BINARY_DIR}/pch.cpp "")
add_library(rpsim_pch STATIC ${CMAKE_BINARY_DIR}/pch.cpp)
target_link_libraries(rpsim_pch PUBLIC rpsim_base)
target_precompile_headers(rpsim_pch PUBLIC <systemc> <tlm> <string> <vector> <functional> <map> <memory> <fmt/format.h>)

# rpsim_library(name SOURCES … [LINK …]): one static library of a room.
function(rpsim_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC rpsim_base ${ARG_LINK})
  target_precompile_headers(${name} REUSE_FROM rpsim_pch)
endfunction()

# rpsim_test(name SOURCES … LINK …): a GoogleTest program whose every test runs in a process of its own (a SystemC kernel
# cannot be reset).
function(rpsim_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE rpsim_test_main ${ARG_LINK})
  target_precompile_headers(${name} REUSE_FROM rpsim_test_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 60)
endfunction()
