"""WHY: Shapley values of every modality by shap, and the report on each version. Owner of shap."""
