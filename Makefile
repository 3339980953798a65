# platform: PGXS build without lists of files.

EXTENSION = platform
EXTVERSION = 1.0
MODULE_big = platform
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))
ALL_HEADERS = $(wildcard src/*.h src/*/*.h)

DATA_built = sql/platform--$(EXTVERSION).sql
DATA = $(wildcard sql/platform--*--*.sql)
EXTRA_CLEAN = results output_iso tmp_check regression.out regression.diffs

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -lcrypto -ljansson

REGRESS := $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
# Tests run in their own folder, so that \ir means the same under pg_regress and psql -f.
REGRESS_OPTS = --inputdir=test --launcher="env -C test/sql"
ISOLATION := $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test
PROVE_TESTS := $(sort $(wildcard test/t/*.pl))
TAP_TESTS := $(if $(PROVE_TESTS),1)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(ALL_HEADERS)

# The extension script: catalogues, then every module's functions, then the
# migrations. OR REPLACE is for update scripts only: a trusted script must not
# replace what somebody else put there.
FUNCTIONS_SQL = $(sort $(wildcard src/*/functions.sql))
MIGRATION_SQL = $(sort $(wildcard src/*/tables.sql src/*/wiring.sql src/*/migration_*.sql))

sql/platform--$(EXTVERSION).sql: sql/preamble.sql sql/postamble.sql sql/migrations.awk $(FUNCTIONS_SQL) $(MIGRATION_SQL)
	( cat sql/preamble.sql \
	  && sed 's/^CREATE OR REPLACE FUNCTION/CREATE FUNCTION/' $(FUNCTIONS_SQL) \
	  && awk -f sql/migrations.awk $(MIGRATION_SQL) \
	  && cat sql/postamble.sql ) > $@.tmp
	mv $@.tmp $@
