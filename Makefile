# runt: build, try, prove, install. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := build

PREFIX ?= /usr/local
DESTDIR ?=
RUNTIME ?= dist/runt
RUNS ?= 30

TEST_PACKAGES := busybox-static libseccomp2 runc crun strace systemd dbus-daemon dbus-system-bus-common binutils binutils-aarch64-linux-gnu qemu-user-static zsh fish mandoc iptables uidmap
ENGINE_PACKAGES := podman buildah conmon netavark aardvark-dns catatonit docker.io containerd busybox-static iptables iproute2
# For some of the long set.
MORE_ENGINE_PACKAGES := docker-registry containernetworking-plugins runc uidmap slirp4netns fuse-overlayfs rootlesskit

BUN := node_modules/.bin/bun
ARCH := $(shell uname -m | sed -e 's/x86_64/x64/' -e 's/aarch64/arm64/')
ADDON := node_modules/@yuuang/ffi-rs-linux-$(ARCH)-gnu/ffi-rs.linux-$(ARCH)-gnu.node
DATE := $(shell git log -1 --format=%cs 2>/dev/null || date +%F)
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
SOURCES := $(shell find src -name '*.ts' ! -name '*.test.ts' ! -path '*/generated/*')
GENERATED := src/config/generated/validators.js
PACKAGES := node_modules/.package-lock.json

.PHONY: help build run test bench soak migration conformance engines rules vm-test vm-smoke check golden install uninstall clean

help:
	@echo 'make build                      dist/runt and, beside it, its engine and the addon that loads'
	@echo 'make run                        build, then show a container from the inside'
	@echo 'make test                       unit tests under Bun and Node; real containers when root'
	@echo 'make check                      formatting, lint, import rules, types, and that these checks bite'
	@echo 'make conformance RUNTIME=PATH   the container cases on any OCI runtime ($(RUNTIME)); CASES=WORD selects'
	@echo 'make rules                      conformance/rules.md anew: how runt, runc and crun fare, rule by rule'
	@echo 'make engines RUNTIME=PATH       Podman, Buildah, Docker and containerd on it; CASES=WORD selects'
	@echo 'make vm-test                    in a virtual machine with cgroup v2, systemd, AppArmor, SELinux; VM_TESTS=PART selects'
	@echo 'make vm-smoke                   one container in that machine, from its boot to its end: a minute'
	@echo 'make bench RUNS=N               beside runc and crun, interleaved ($(RUNS) runs), and beside their newest under systemd'
	@echo 'make soak                       load and endurance beside runc and crun, and races for RACE_SECONDS; sizes: conformance/soak.ts'
	@echo 'make migration                  moves a running container in each way that CRIU knows; RUNTIME=PATH moves beside it'
	@echo 'make golden                     write the expected texts of the tests anew'
	@echo 'make install PREFIX= DESTDIR=   install to $(PREFIX); make uninstall removes it'
	@echo 'make clean                      remove what was built'

build: dist/runt dist/runt-engine dist/ffi-rs.node dist/share

# npm writes this file last, so it is as good as a stamp.
$(PACKAGES): package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

$(GENERATED): $(wildcard spec-schemas/*) $(PACKAGES)
	@mkdir -p $(@D)
	$(BUN) spec-schemas/compile.ts
	@touch $@

# The copy, as an installation is one, starts 2 ms sooner than what bun wrote: it was written in large pieces, and lies in the page cache so.
# .env and bunfig.toml of the working directory must not matter to a program that root runs in a bundle.
dist/runt-engine: $(SOURCES) $(GENERATED) package.json Makefile
	@mkdir -p dist
	$(BUN) build --compile --minify --bytecode --format=esm --compile-jit-policy=1000 --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
		--define RUNT_COMMIT='"$(COMMIT)"' src/cli/main.ts --outfile dist/runt-engine.new
	@cp dist/runt-engine.new dist/runt-engine.copy
	@mv dist/runt-engine.copy dist/runt-engine
	@rm dist/runt-engine.new

# What users call: a few kilobytes that answer by themselves or become the engine.
dist/runt: $(wildcard bin/build-front.ts src/front/*.ts src/plan/*.ts src/machine/*.ts src/machine/*/*.ts src/linux/*.ts) $(PACKAGES)
	@mkdir -p dist
	@$(BUN) bin/build-front.ts dist/runt '$(PREFIX)/lib/runt'

dist/ffi-rs.node: $(PACKAGES)
	@mkdir -p dist
	@cp $(ADDON) $@

# Manual pages and completions come from the same table of commands as the help.
dist/share: bin/build-share.ts src/config/landlock.md src/config/exit-record.md $(SOURCES) $(GENERATED) package.json
	@rm -rf $@
	@$(BUN) bin/build-share.ts $@ $(DATE)

run: build
	@sh bin/demo

test: build
	@sh bin/debian-packages $(TEST_PACKAGES) $(ENGINE_PACKAGES)
	@$(BUN) conformance/run-tests.ts

bench: build
	@sh bin/debian-packages busybox-static runc crun strace systemd dbus-daemon dbus-system-bus-common golang-github-containers-common
	@$(BUN) conformance/bench.ts --runs $(RUNS)

RACE_SECONDS ?= 300

soak: build
	@sh bin/debian-packages busybox-static runc crun
	@RACE_SECONDS=$(RACE_SECONDS) $(BUN) conformance/race.test.ts
	@$(BUN) conformance/soak.ts

migration: build
	@sh bin/debian-packages busybox-static iproute2 iptables runc
	@$(BUN) conformance/migration.ts --runtime dist/runt $(if $(filter-out dist/runt,$(RUNTIME)),--runtime '$(RUNTIME)') --runs 5

conformance: $(if $(filter dist/runt,$(RUNTIME)),build,$(PACKAGES))
	@sh bin/debian-packages busybox-static libseccomp2
	@$(BUN) conformance/main.ts --runtime '$(RUNTIME)' -- $(CASES)

rules: build
	@sh bin/debian-packages busybox-static libseccomp2 runc crun
	@$(BUN) conformance/rules-table.ts dist/runt /usr/sbin/runc /usr/bin/crun

engines: $(if $(filter dist/runt,$(RUNTIME)),build,$(PACKAGES))
	@sh bin/debian-packages $(ENGINE_PACKAGES) $(MORE_ENGINE_PACKAGES)
	@$(BUN) conformance/engines/main.ts --slow --runtime '$(RUNTIME)' -- $(CASES)

VM_TESTS ?=

vm-test: build
	@sh bin/debian-packages $$(conformance/vm/vm.sh deps)
	@conformance/vm/vm.sh build
	@conformance/vm/test.sh $(VM_TESTS)

# For every night: the machine is built when it isn't there or is stale, boots, runs one container, and ends; or all of it is given up.
vm-smoke: build
	@sh bin/debian-packages $$(conformance/vm/vm.sh deps)
	@timeout 3600 conformance/vm/vm.sh build
	@conformance/vm/test.sh smoke

check: $(PACKAGES) $(GENERATED)
	node_modules/.bin/biome check --error-on-warnings .
	node_modules/.bin/tsc --noEmit
	$(BUN) conformance/check-the-checks.ts

golden: build
	UPDATE_GOLDEN=1 $(BUN) conformance/run-tests.ts --pure

# The link's target is relative, so that a staged installation (DESTDIR) is right as well. What users call knows where it is installed: a copy of it finds
# the engine there.
install: build
	install -d '$(DESTDIR)$(PREFIX)/lib/runt' '$(DESTDIR)$(PREFIX)/bin'
	$(BUN) bin/build-front.ts '$(DESTDIR)$(PREFIX)/lib/runt/runt' '$(PREFIX)/lib/runt'
	install -m 0755 dist/runt-engine '$(DESTDIR)$(PREFIX)/lib/runt/runt-engine'
	install -m 0644 dist/ffi-rs.node '$(DESTDIR)$(PREFIX)/lib/runt/ffi-rs.node'
	ln -sf ../lib/runt/runt '$(DESTDIR)$(PREFIX)/bin/runt'
	install -d '$(DESTDIR)$(PREFIX)/share'
	umask 022 && cp -R --no-preserve=mode dist/share/. '$(DESTDIR)$(PREFIX)/share'

uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/runt' '$(DESTDIR)$(PREFIX)/lib/runt/runt' \
		'$(DESTDIR)$(PREFIX)/lib/runt/runt-engine' '$(DESTDIR)$(PREFIX)/lib/runt/ffi-rs.node' \
		'$(DESTDIR)$(PREFIX)'/share/man/man8/runt.8 '$(DESTDIR)$(PREFIX)'/share/man/man8/runt-*.8 \
		'$(DESTDIR)$(PREFIX)'/share/man/man5/runt-*.5 \
		'$(DESTDIR)$(PREFIX)/share/bash-completion/completions/runt' '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_runt' \
		'$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/runt.fish'
	-rmdir '$(DESTDIR)$(PREFIX)/lib/runt' 2>/dev/null

clean:
	rm -rf dist demo src/config/generated
