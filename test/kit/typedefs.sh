#!/bin/bash
# typedefs.sh - make typedefs.list: the types that the source defines, one a line,
# for pgindent.
cd "$(dirname "$0")/../.."
find src -name '*.[ch]' -exec cat {} + |
	sed -nE 's/^typedef .*\(\*([A-Za-z]+)\).*/\1/p; t
		s/^typedef .*[ *]([A-Za-z]+) ?\(.*\);$/\1/p; t
		s/^typedef .*[ *]([A-Za-z]+);$/\1/p; t
		s/^\} ([A-Z][A-Za-z]+);$/\1/p' |
	LC_ALL=C sort -u
