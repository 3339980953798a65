# Turns the examples of a module (src/*/demo.sql) into the INSERT that puts them
# into platform.demo_data. The first line of such a file is
#
#	-- demo <position> <module>: <description>
#
# and the rest statements that may be run again: ON CONFLICT DO NOTHING.
FNR == 1 {
	flush()
	if ($0 !~ /^-- demo [0-9]+ [a-z_]+: /) {
		print FILENAME ": first line is not '-- demo <position> <module>: <description>'" > "/dev/stderr"
		failed = 1
		exit 1
	}
	position = $3
	module = $4
	sub(/:$/, "", module)
	description = $0
	sub(/^-- demo [0-9]+ [a-z_]+: /, "", description)
	gsub(/'/, "''", description)
	next
}
{ text = text $0 "\n" }
END { if (!failed) flush() }

function flush() {
	if (position != "")
		printf "INSERT INTO platform.demo_data (position, module, description, statements) VALUES (\n\t%s, '%s', '%s',\n$demo$%s$demo$);\n\n",
			position, module, description, text
	position = text = ""
}
