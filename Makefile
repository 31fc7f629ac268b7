# Each target sets up .venv by itself; change pyproject.toml and the next one installs again.
PYTHON ?= python3
PRESET ?=
LESSON ?= 04_ewc
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
preset = $(if $(PRESET),--preset $(PRESET))
pytest = OMP_NUM_THREADS=1 python -m pytest -n logical --dist worksteal
preset_env = $(if $(PRESET),CL_PRESET=$(PRESET))

.PHONY: lab demo course handout site slides wheel test test-full test-release compare bench front same-front lint results clean

lab: .venv/ready
	jupyter lab --notebook-dir=notebooks

# The lab alone, as a page without code, for the lecture hall.
demo: .venv/demo
	$(preset_env) JUPYTER_PATH=docs voila --Voila.ip=127.0.0.1 --template=hall --show_tracebacks=True \
		notebooks/lab.ipynb

# A course with three students, graded, to look around in: formgrader, and all that is in its folder.
course: .venv/ready
	test -e build/course/gradebook.db || { rm -rf build/course; python -m quiz demo build/course; }
	cd build/course && jupyter lab --LabApp.default_url=/formgrader

# What students may have: the course as it was last committed, without the key.
handout:
	mkdir -p build
	git archive --prefix=continual-learning/ -o build/continual-learning.zip HEAD -- . \
		':(exclude)quiz' ':(exclude)tests' ':(exclude)docs'

# Every notebook executed, and the API reference: build/site/index.html. Results of the notebooks
# are kept in build/site-cache.
site: .venv/ready
	rm -rf build/site build/site-source
	mkdir -p build/site-source
	cp site/*.md notebooks/*.ipynb build/site-source
	python site/api.py build/site-source/api
	$(preset_env) sphinx-build -q -W --keep-going -E -d build/site-doctrees -c site \
		build/site-source build/site

# A lesson as slides, executed, in build/slides; they load nothing from other hosts (docs/teaching.md).
slides: .venv/ready
	mkdir -p build/slides
	cp docs/slides/package.json cl_helpers/widgets/front/views.js build/slides
	npm install --prefix build/slides --silent --no-audit --no-fund --fetch-timeout=20000
	$(preset_env) jupyter nbconvert --config docs/slides/config.py --to slides --execute \
		--output-dir build/slides notebooks/$(LESSON).ipynb

# What Colab needs beside a notebook (README says how). Without build/lib, where files since
# deleted live on.
wheel: .venv/ready
	rm -rf build/lib dist
	pip wheel --quiet --no-deps --wheel-dir dist .

# A process a core, a thread each; a process that has no tests left takes some from another.
test: .venv/ready
	$(pytest) -m "not full"

# What `make test` leaves out: dearer tests of the same things.
test-full: .venv/ready
	$(pytest) -m full

# By hand, before a release: all tests, and the whole site without a warning.
test-release: test test-full site

compare: .venv/ready
	python -m cl_helpers compare $(preset)

bench: .venv/ready .avalanche/ready
	python benchmarks/bench.py $(SECTION)

# What draws in the page, bundled from front/ into cl_helpers; only who changes it needs Node.
front: front/node_modules
	cd front && node build.js

# Whether the bundle that is committed is that of front/.
same-front: front
	git diff --exit-code --stat -- cl_helpers/widgets/front site/pages || \
		{ echo "The bundle is not that of front/: run make front and commit it."; exit 1; }

front/node_modules: front/package-lock.json
	cd front && npm ci --silent --fetch-timeout=20000
	touch $@

lint: .venv/ready
	ruff check .
	ruff format --check .
	mypy
	lint-imports

# All that is stored in experiments/. A finished run is found again and an interrupted one goes on;
# what is deleted first is made anew.
results: .venv/ready
	@echo "From nothing about 16 hours on two cores, an estimate: λ and Ω 4, the homework 1.5, scenarios 1, pathint 1.5, regimes 5.5, lessons 13 to 15 2"
	python experiments/tuning/tune.py --preset class
	python experiments/tuning/samples.py --preset class
	python experiments/tuning/samples.py
	python experiments/tuning/tune.py
	python experiments/diagonal/diagonal.py
	python -m cl_helpers compare --data mnist --preset full --seeds 0,1,2 \
		--methods baseline,ewc,mas,si,rwalk,scp,joint --out experiments/homework
	python experiments/ship.py
	python experiments/homework/bfloat16.py --preset class
	python experiments/scenarios/scenarios.py
	python experiments/pathint/pathint.py
	python experiments/pretrained/pretrained.py
	python experiments/regimes/regimes.py table2
	python experiments/regimes/regimes.py curvature
	python experiments/language/language.py
	python experiments/regimes/regimes.py summary
	python experiments/plasticity/plasticity.py

.venv/ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.venv/demo: .venv/ready
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@

# Avalanche, to be measured against, in an environment of its own.
.avalanche/ready:
	$(PYTHON) -m venv .avalanche
	.avalanche/bin/python -m pip install --quiet avalanche-lib==0.6.0
	touch $@

clean:
	rm -rf .venv .avalanche build dist *.egg-info
