# Turns a migration file (src/*/tables.sql, src/*/wiring.sql, ...) into the
# INSERT that puts it into platform.migrations. Format of such a file:
#
#	-- migration <version> <module>: <description>
#	-- requires: <module> ...        (optional)
#	-- optional                      (optional: only where it is named)
#	-- up / -- down / -- checks      (each alone on its line)
FNR == 1 {
	flush()
	if ($0 !~ /^-- migration [0-9]+ [a-z_]+: /) {
		print FILENAME ": first line is not '-- migration <version> <module>: <description>'" > "/dev/stderr"
		failed = 1
		exit 1
	}
	version = $3
	module = $4
	sub(/:$/, "", module)
	description = $0
	sub(/^-- migration [0-9]+ [a-z_]+: /, "", description)
	gsub(/'/, "''", description)
	next
}
/^-- optional$/ { optional = 1; next }
/^-- requires: / { requires = $0; sub(/^-- requires: /, "", requires); gsub(/ +/, ",", requires); next }
/^-- (up|down|checks)$/ { section = $2; next }
{ text[section] = text[section] $0 "\n" }
END { if (!failed) flush() }

function flush() {
	if (version != "")
		printf "INSERT INTO platform.migrations (version, module, description, requires, optional, up, down, checks) VALUES (\n\t%s, '%s', '%s', '{%s}', %s,\n$migration$%s$migration$,\n$migration$%s$migration$,\n$migration$%s$migration$);\n\n",
			version, module, description, requires, optional ? "true" : "false", text["up"], text["down"], text["checks"]
	version = requires = section = ""
	optional = 0
	delete text
}
