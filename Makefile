# platform: PGXS build without lists of files.

EXTENSION = platform
EXTVERSION = 1.0
MODULE_big = platform
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))
ALL_HEADERS = $(wildcard src/*.h src/*/*.h)

DATA_built = sql/platform--$(EXTVERSION).sql
DATA = $(wildcard sql/platform--*--*.sql)
EXTRA_CLEAN = .build_for results tmp_check regression.out regression.diffs test/peers/node_modules

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -lcrypto -ljansson

# What the library calls of itself is its own, not what another one has by that name,
# and is called straight.
ifeq ($(shell uname -s),Linux)
PG_CFLAGS += -fno-semantic-interposition
SHLIB_LINK += -Wl,-Bsymbolic-functions
endif

# The webhook sender needs libcurl's header; the library itself is loaded by the
# worker. make WITH_SENDER=no leaves the sender out, WITH_SENDER=yes insists on it.
ifndef WITH_SENDER
WITH_SENDER := $(shell echo '\#include <curl/curl.h>' | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo yes || echo no)
endif
ifeq ($(WITH_SENDER),yes)
PG_CPPFLAGS += -DPLATFORM_SENDER
endif

REGRESS := $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
# Tests run in their own folder, so that \ir means the same under pg_regress and psql -f.
REGRESS_OPTS = --inputdir=test --launcher="env -C test/sql"
ISOLATION := $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=.
PROVE_TESTS := $(sort $(wildcard test/t/*.pl))
TAP_TESTS := $(if $(PROVE_TESTS),1)

# Given on the command line or in the environment it also picks the server of
# the scripts below; otherwise they look for the newest one.
ifdef PG_CONFIG
export PG_CONFIG
else
PG_CONFIG = pg_config
endif

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(PGXS),)
include $(PGXS)

# Headers, compiler and server that the objects were built with: a change of any
# of them builds them anew.
BUILD_FOR := $(CC) $(COPT) WITH_SENDER=$(WITH_SENDER) $(shell $(PG_CONFIG) --version --includedir-server)
ifneq ($(BUILD_FOR),$(shell cat .build_for 2>/dev/null))
$(shell echo '$(BUILD_FOR)' >.build_for)
endif
$(OBJS) $(OBJS:.o=.bc): $(ALL_HEADERS) .build_for
.build_for: ;
else
all install installcheck clean:
	@echo "$@: $(PG_CONFIG) was not found. Set PG_CONFIG, or let 'make test' or 'make demo' install what is missing." >&2; exit 1
endif

# The extension script: catalogues, then every module's functions, then the
# migrations. OR REPLACE is for update scripts only: a trusted script must not
# replace what somebody else put there.
FUNCTIONS_SQL = $(sort $(wildcard src/*/functions*.sql))
MIGRATION_SQL = $(sort $(wildcard src/*/tables.sql src/*/wiring.sql src/*/migration_*.sql))
DEMO_SQL = $(sort $(wildcard src/*/demo.sql))

sql/platform--$(EXTVERSION).sql: sql/preamble.sql sql/postamble.sql sql/migrations.awk sql/demo.awk $(FUNCTIONS_SQL) $(MIGRATION_SQL) $(DEMO_SQL)
	( cat sql/preamble.sql \
	  && sed 's/^CREATE OR REPLACE FUNCTION/CREATE FUNCTION/' $(FUNCTIONS_SQL) \
	  && awk -f sql/migrations.awk $(MIGRATION_SQL) \
	  && awk -f sql/demo.awk $(DEMO_SQL) \
	  && cat sql/postamble.sql ) > $@.tmp
	mv $@.tmp $@

# make update FROM=1.0: the script sql/platform--1.0--$(EXTVERSION).sql. Functions are
# replaced and the catalogues filled anew; install() then upgrades the tables.
sql/platform--%--$(EXTVERSION).sql: sql/update_preamble.sql sql/postamble.sql sql/migrations.awk sql/demo.awk $(FUNCTIONS_SQL) $(MIGRATION_SQL) $(DEMO_SQL)
	( cat sql/update_preamble.sql $(wildcard sql/update--$*.sql) $(FUNCTIONS_SQL) \
	  && awk -f sql/migrations.awk $(MIGRATION_SQL) \
	  && awk -f sql/demo.awk $(DEMO_SQL) \
	  && cat sql/postamble.sql ) > $@.tmp
	mv $@.tmp $@
.PHONY: update
update: $(if $(FROM),sql/platform--$(FROM)--$(EXTVERSION).sql)
	@test -n "$(FROM)" || { echo "make update needs FROM=<version>" >&2; exit 1; }

# Scripts that do everything, from a bare machine on: see the head of each.
#	make test	SUITES="regress isolation tap"
#	make demo	then make demo-stop
#	make bench	BENCH="name ..."
#	make matrix	FETCH=yes fetches the versions that are missing
.PHONY: test demo demo-stop bench lint matrix typedefs.list
test demo demo-stop bench lint matrix:
	@bash test/kit/$@.sh
typedefs.list:
	bash test/kit/typedefs.sh >$@
export SUITES BENCH FETCH MATRIX_DIR
ifeq ($(WITH_SENDER),no)
export WITH_SENDER
endif
