"""nbconvert's configuration for slides that need no network: `make slides`, docs/teaching.md."""

from pathlib import Path

MODULES = "node_modules"  # beside the slides; `make slides` fills it

c = get_config()  # noqa: F821, nbconvert gives it
c.TemplateExporter.extra_template_basedirs = [str(Path(__file__).parent.parent)]
c.SlidesExporter.template_name = "slides"  # index.html.j2, beside this file
c.SlidesExporter.reveal_url_prefix = f"{MODULES}/reveal.js"
c.SlidesExporter.reveal_theme = "white"  # the default, "simple", loads its fonts from the network
c.SlidesExporter.reveal_transition = "none"
c.SlidesExporter.reveal_number = "c/t"
c.SlidesExporter.reveal_width, c.SlidesExporter.reveal_height = "1280", "720"
c.SlidesExporter.reveal_scroll = True  # what is higher than the slide can be scrolled
c.SlidesExporter.require_js_url = f"{MODULES}/requirejs/require.js"
c.SlidesExporter.jquery_url = f"{MODULES}/jquery/dist/jquery.min.js"
c.SlidesExporter.mathjax_url = f"{MODULES}/mathjax/MathJax.js?config=TeX-AMS_CHTML-full,Safe"
c.SlidesExporter.exclude_input_prompt = c.SlidesExporter.exclude_output_prompt = True
# A view lives from its still copy: the widgets' state goes once the notebook has run.
c.SlidesExporter.preprocessors = ["nbconvert.preprocessors.ClearMetadataPreprocessor"]
c.ClearMetadataPreprocessor.clear_cell_metadata = False
c.ClearMetadataPreprocessor.preserve_nb_metadata_mask = {"kernelspec", "language_info"}
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_input_tags = {"hide-input"}
