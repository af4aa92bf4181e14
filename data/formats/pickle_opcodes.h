// The opcodes of Python's pickle that a file of tensors needs, and the names of all others, for refusing them.
// Source: CPython, Lib/pickletools.py. Internal to data/formats.
#pragma once

#include <string>

namespace cambium::formats {

enum class Opcode : unsigned char {
    mark = '(',
    stop = '.',
    none = 'N',
    newtrue = 0x88,
    newfalse = 0x89,
    binint = 'J',
    binint1 = 'K',
    binint2 = 'M',
    int_ = 'I',
    long_ = 'L',
    long1 = 0x8a,
    long4 = 0x8b,
    binfloat = 'G',
    short_binstring = 'U',
    binstring = 'T',
    short_binunicode = 0x8c,
    binunicode = 'X',
    binunicode8 = 0x8d,
    short_binbytes = 'C',
    binbytes = 'B',
    binbytes8 = 0x8e,
    empty_tuple = ')',
    tuple1 = 0x85,
    tuple2 = 0x86,
    tuple3 = 0x87,
    tuple = 't',
    empty_list = ']',
    append = 'a',
    appends = 'e',
    empty_dict = '}',
    setitem = 's',
    setitems = 'u',
    empty_set = 0x8f,
    additems = 0x90,
    frozenset = 0x91,
    binput = 'q',
    long_binput = 'r',
    memoize = 0x94,
    binget = 'h',
    long_binget = 'j',
    proto = 0x80,
    frame = 0x95,
    global = 'c',
    stack_global = 0x93,
    reduce = 'R',
    newobj = 0x81,
    build = 'b',
    binpersid = 'Q',
};

std::string name_of(Opcode opcode);  // "GLOBAL"; "0x07" for a byte that is no opcode

}  // namespace cambium::formats
