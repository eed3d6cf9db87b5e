"""Points in the plane for images, so that those which are alike lie near each other.

points = embed(images.reshape(len(images), -1))           # (N, 2); digits/figures/dataset.py draws them
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE


def embed(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Place vectors in the plane so that neighbours stay neighbours: t-SNE on their 50 principal components.

    L. van der Maaten, G. Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008. Large distances and the sizes of clusters
    have no meaning.

    Args:
        vectors: (N, F) numbers, N at least 5.
        seed: integer; the same seed on the same machine gives the same points.

    Returns:
        (N, 2) float32.
    """
    vectors = np.asarray(vectors, np.float32)
    components = PCA(min(50, *vectors.shape), random_state=seed).fit_transform(vectors)
    perplexity = min(30, (len(vectors) - 1) / 3)  # 30 is what scikit-learn and most papers take
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(components)
