"""Write digits.js: scikit-learn's handwritten digits, 8 × 8, for the playground.

    python front/playground/digits.py

Values from 0 to 16 are cut at 15, so that two of them go into a byte. E. Alpaydin and C. Kaynak,
Optical recognition of handwritten digits, UCI machine learning repository, CC BY 4.0.
"""

from base64 import b64encode
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

HEAD = "// Written by digits.py: 1,797 digits of 8 × 8 pixels, 0 to 15, two a byte, and labels.\n"

pixels, labels = load_digits(return_X_y=True)
values = np.minimum(pixels, 15).astype(np.uint8).reshape(-1, 2)
packed = b64encode((values[:, 0] << 4 | values[:, 1]).tobytes()).decode()
known = "".join(map(str, labels))
text = f'{HEAD}export const PIXELS = "{packed}";\nexport const LABELS = "{known}";\n'
Path(__file__).with_name("digits.js").write_text(text, "utf-8")
