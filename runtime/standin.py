"""Stands in for the RISC-V compiler of tt-metal's kernels, where no kernel ever runs.

On a mock cluster the runtime compiles and links kernels and reads the result, but executes none.
So every output is one tiny program: a return instruction, four bytes of data, an empty table of
relocations. The list of dependencies names the source alone, which exists.
"""
import struct
import sys

TAKES_VALUE = (
    "-include", "-x", "-I", "-D", "-L", "-T", "-isystem", "-MT", "-MQ", "-idirafter", "-iquote", "-Xlinker", "-l",
)
SOURCES = ("cc", "cpp", "c", "S", "h", "hpp", "cxx")
NAMES = b"\0.text\0.data\0.symtab\0.strtab\0.shstrtab\0.rela.text\0"
START = 0x10000


def name(text):
    return NAMES.index(b"\0" + text + b"\0") + 1


def section(text, kind, flags, address, offset, size, link, info, alignment, entry):
    return struct.pack("<10I", name(text), kind, flags, address, offset, size, link, info, alignment, entry)


def program():
    """An ELF file: 32 bits, little endian, RISC-V (243), executable (2), two segments, seven sections."""
    text, data, symbols, strings = struct.pack("<I", 0x00008067), bytes(4), bytes(16), b"\0"
    text_at = 52 + 2 * 32
    data_at = text_at + len(text)
    symbols_at = data_at + len(data)
    strings_at = symbols_at + len(symbols)
    names_at = strings_at + len(strings)
    sections_at = (names_at + len(NAMES) + 3) & ~3
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, 243, 1, START, 52, sections_at, 0, 52, 32, 2, 40, 7, 5)
    segments = struct.pack("<8I", 1, text_at, START, START, 4, 4, 5, 4)
    segments += struct.pack("<8I", 1, data_at, START + 4, START + 4, 4, 4, 6, 4)
    body = head + segments + text + data + symbols + strings + NAMES
    body += bytes(sections_at - len(body))
    body += bytes(40)
    body += section(b".text", 1, 6, START, text_at, 4, 0, 0, 4, 0)
    body += section(b".data", 1, 3, START + 4, data_at, 4, 0, 0, 4, 0)
    body += section(b".symtab", 2, 0, 0, symbols_at, 16, 4, 1, 4, 16)
    body += section(b".strtab", 3, 0, 0, strings_at, 1, 0, 0, 1, 0)
    body += section(b".shstrtab", 3, 0, 0, names_at, len(NAMES), 0, 0, 1, 0)
    body += section(b".rela.text", 4, 0, 0, 0, 0, 3, 1, 4, 12)
    return body


def main(arguments):
    if "--version" in arguments:
        print("riscv-tt-elf-g++ 15.1.0 (a stand-in that compiles nothing)")
        return
    output = dependencies = None
    sources = []
    rest = iter(arguments)
    for word in rest:
        if word == "-o":
            output = next(rest)
        elif word == "-MF":
            dependencies = next(rest)
        elif word in TAKES_VALUE:
            next(rest)
        elif not word.startswith("-") and word.rsplit(".", 1)[-1] in SOURCES:
            sources.append(word)
    if output:
        with open(output, "wb") as file:
            file.write(program())
    if output and dependencies:
        with open(dependencies, "w") as file:
            file.write(output + ": " + " ".join(sources) + "\n")


main(sys.argv[1:])
